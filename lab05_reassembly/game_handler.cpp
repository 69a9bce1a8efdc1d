#include "game_handler.h"

#include <cstdio>

namespace lab {
namespace {

// Passes the packets of one receive to the world.
class PlayPackets : public PacketSink {
 public:
  PlayPackets(World& world, const std::shared_ptr<Player>& player) : world_(world), player_(player) {}
  ProtocolError on_packet(std::span<const unsigned char> packet) override {
    ++count;
    return process_packet(world_, player_, packet);
  }
  std::uint64_t count = 0;

 private:
  World& world_;
  const std::shared_ptr<Player>& player_;
};

}  // namespace

bool GameHandler::on_recv(Server& server, const std::shared_ptr<Connection>& connection, const char* data,
                          std::size_t size) {
  const auto player = std::static_pointer_cast<Player>(connection);
  PlayPackets sink(world_, player);
  const ProtocolError error = player->reassembler.feed({reinterpret_cast<const unsigned char*>(data), size}, sink);
  packets_ += sink.count;
  world_.flush(server);  // one round: everything from this receive
  if (error == ProtocolError::none) return true;
  std::printf("client %u broke the protocol: %s\n", connection->id, describe(error));
  return false;
}

void GameHandler::on_sent(Server& server, const std::shared_ptr<Connection>& connection, std::size_t) {
  world_.sent(static_cast<Player&>(*connection));
  world_.flush(server);
}

void GameHandler::on_disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  std::printf("client %u left: %s\n", connection->id, why);
  world_.leave(static_cast<Player&>(*connection));
  world_.flush(server);
}

void GameHandler::print_summary() const {
  const WorldStats stats = world_.stats();
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  std::printf("packets received: %llu\n", static_cast<unsigned long long>(packets()));
  std::printf("bytes sent: %llu in %llu sends\n", static_cast<unsigned long long>(stats.bytes),
              static_cast<unsigned long long>(stats.sends));
  std::printf("positions sent: %llu, %.2f bytes each, %.1f%% of all bytes sent\n",
              static_cast<unsigned long long>(stats.positions), ratio(stats.position_bytes, stats.positions),
              100 * ratio(stats.position_bytes, stats.bytes));
}

}  // namespace lab
