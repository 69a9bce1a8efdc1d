// Wrong: a length of 1 is taken for a packet; its type lies behind its end.
#include "reassembly.h"

#include <algorithm>

#include "world.h"

namespace lab {

namespace {

ProtocolError judge(unsigned char length) {
  return length == 0               ? ProtocolError::length_below_header
         : length > kMaxPacketSize ? ProtocolError::length_above_maximum
                                   : ProtocolError::none;
}

}  // namespace

// Three parts: the packet that waits, the whole packets, and what is left over.
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  const auto keep = [this, &data](std::size_t count) {
    std::copy_n(data.begin(), count, recv_packet_buf_ + size_);
    size_ += count;
    data = data.subspan(count);
  };
  if (size_ > 0) {
    const std::size_t length = recv_packet_buf_[0];  // it was judged when it came
    keep(std::min(data.size(), length - size_));
    if (size_ < length) return ProtocolError::none;
    size_ = 0;
    const auto error = sink.on_packet({recv_packet_buf_, length});
    if (error != ProtocolError::none) return error;
  }
  while (!data.empty()) {
    if (const auto error = judge(data.front()); error != ProtocolError::none) return error;
    if (data.size() < data.front()) break;
    const auto packet = data.first(data.front());
    data = data.subspan(packet.size());
    if (const auto error = sink.on_packet(packet); error != ProtocolError::none) return error;
  }
  keep(data.size());
  return ProtocolError::none;
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
  std::size_t size = 0;
  const auto put = [&](unsigned value) { out[size++] = static_cast<unsigned char>(value & 0xFF); };
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (i % kMaxPositionsPerPacket == 0) {  // a packet begins here
      const std::size_t count = std::min(positions.size() - i, kMaxPositionsPerPacket);
      put(static_cast<unsigned>(kHeaderSize + count * kPositionSize));
      put(count > 1 ? SC_POSITIONS : SC_POSITION);
    }
    const Position& position = positions[i];
    put(position.id);
    put(position.id >> 8u);
    put(position.x);
    put(position.y);
  }
  return size;
}

}  // namespace lab
