// Right: the whole packets are counted first, then given on; std::copy; ranges of the body by iterators.
#include "reassembly.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "world.h"

namespace lab {

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  while (true) {
    // 1. The length byte, if there is one.
    unsigned char first = 0;
    if (size_ != 0) first = recv_packet_buf_[0];
    else if (!data.empty()) first = data[0];
    else return ProtocolError::none;
    if (first < kHeaderSize) return ProtocolError::length_below_header;
    if (first > kMaxPacketSize) return ProtocolError::length_above_maximum;

    // 2. What it needs from `data`, and whether that is there.
    const std::size_t need = first - size_;
    const bool whole = data.size() >= need;
    const auto part = data.first(whole ? need : data.size());
    data = data.subspan(part.size());

    // 3. Into the buffer only what is or was cut.
    const bool cut = size_ != 0 || !whole;
    if (cut) std::copy(part.begin(), part.end(), recv_packet_buf_ + size_);
    if (!whole) {
      size_ += part.size();
      return ProtocolError::none;
    }
    size_ = 0;
    const ProtocolError error = cut ? sink.on_packet({recv_packet_buf_, first}) : sink.on_packet(part);
    if (error != ProtocolError::none) return error;
  }
}

namespace {

ProtocolError login(World& world, const std::shared_ptr<Player>& player, std::span<const unsigned char> name) {
  if (name.empty() || name.size() > kMaxNameSize) return ProtocolError::wrong_size;
  const auto bad = [](unsigned char c) { return c < '!' || c > '~'; };
  if (std::any_of(name.begin(), name.end(), bad)) return ProtocolError::bad_name;
  return world.login(player, {reinterpret_cast<const char*>(name.data()), name.size()});
}

ProtocolError move(World& world, Player& player, std::span<const unsigned char> body) {
  if (body.size() != 1) return ProtocolError::wrong_size;
  if (body.front() > static_cast<unsigned char>(Direction::right)) return ProtocolError::bad_direction;
  return world.move(player, Direction{body.front()});
}

}  // namespace

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const auto body = packet.subspan(kHeaderSize);
  if (packet[1] == CS_LOGIN) return login(world, player, body);
  if (packet[1] == CS_MOVE) return move(world, *player, body);
  return ProtocolError::unknown_type;
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  std::size_t at = 0;
  std::size_t header = 0;  // where the packet that is being written begins
  std::size_t in_packet = 0;
  for (const Position& position : positions) {
    if (in_packet == kMaxPositionsPerPacket) in_packet = 0;
    if (in_packet++ == 0) {
      header = at;
      at += kHeaderSize;
    }
    const unsigned char bytes[kPositionSize] = {static_cast<unsigned char>(position.id),
                                                static_cast<unsigned char>(position.id >> 8), position.x, position.y};
    std::copy(std::begin(bytes), std::end(bytes), out + at);
    at += kPositionSize;
    out[header] = static_cast<unsigned char>(at - header);
    out[header + 1] = in_packet == 1 ? SC_POSITION : SC_POSITIONS;
  }
  return at;
}

}  // namespace lab
