#include "reassembly.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "world.h"

namespace lab {

static ProtocolError check_length(std::size_t length) {
  if (length < kHeaderSize) return ProtocolError::length_below_header;
  if (length > kMaxPacketSize) return ProtocolError::length_above_maximum;
  return ProtocolError::none;
}

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  while (!data.empty()) {
    // The length byte is the first of the packet: the first in the buffer, or the first in `data`.
    const std::size_t length = size_ > 0 ? recv_packet_buf_[0] : data[0];
    if (const ProtocolError error = check_length(length); error != ProtocolError::none) return error;

    const std::size_t missing = length - size_;
    if (data.size() < missing) {  // cut: keep the front (N21)
      std::memcpy(recv_packet_buf_ + size_, data.data(), data.size());
      size_ += data.size();
      return ProtocolError::none;
    }
    std::span<const unsigned char> packet = data.first(missing);
    if (size_ > 0) {  // the back of a packet whose front is in the buffer
      std::memcpy(recv_packet_buf_ + size_, data.data(), missing);
      packet = {recv_packet_buf_, length};
      size_ = 0;
    }
    data = data.subspan(missing);
    if (const ProtocolError error = sink.on_packet(packet); error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

static ProtocolError process_login(World& world, const std::shared_ptr<Player>& player,
                                   std::span<const unsigned char> name) {
  if (name.empty() || name.size() > kMaxNameSize) return ProtocolError::wrong_size;
  const auto visible = [](unsigned char c) { return c >= 0x21 && c <= 0x7E; };
  if (!std::all_of(name.begin(), name.end(), visible)) return ProtocolError::bad_name;
  return world.login(player, {reinterpret_cast<const char*>(name.data()), name.size()});
}

static ProtocolError process_move(World& world, Player& player, std::span<const unsigned char> body) {
  if (body.size() != 1) return ProtocolError::wrong_size;
  if (body[0] > static_cast<unsigned char>(Direction::right)) return ProtocolError::bad_direction;
  return world.move(player, static_cast<Direction>(body[0]));
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const auto body = packet.subspan(kHeaderSize);
  switch (packet[1]) {
    case CS_LOGIN: return process_login(world, player, body);
    case CS_MOVE: return process_move(world, *player, body);
    default: return ProtocolError::unknown_type;
  }
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  unsigned char* const begin = out;
  while (!positions.empty()) {
    const std::size_t count = std::min(positions.size(), kMaxPositionsPerPacket);
    *out++ = static_cast<unsigned char>(kHeaderSize + count * kPositionSize);
    *out++ = count == 1 ? SC_POSITION : SC_POSITIONS;
    for (const Position& position : positions.first(count)) {
      *out++ = static_cast<unsigned char>(position.id & 0xFF);
      *out++ = static_cast<unsigned char>(position.id >> 8);
      *out++ = position.x;
      *out++ = position.y;
    }
    positions = positions.subspan(count);
  }
  return static_cast<std::size_t>(out - begin);
}

}  // namespace lab
