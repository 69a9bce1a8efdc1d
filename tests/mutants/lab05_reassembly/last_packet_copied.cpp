// Wrong: the last packet of a piece is copied into the buffer also when it lies whole in the data (it ends exactly at the
// end of the data), and goes to the sink from there.
// Breaks: reassembly.h "Copies only what is cut: a packet that lies whole in `data` goes to the sink from there."
// Shows: only for the packet that ends where the data ends; the ones before it are given from the data.
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
    const std::size_t length = size_ > 0 ? recv_packet_buf_[0] : data[0];
    if (const ProtocolError error = check_length(length); error != ProtocolError::none) return error;

    if (size_ == 0 && data.size() > length) {  // whole, and something is behind it
      if (const ProtocolError error = sink.on_packet(data.first(length)); error != ProtocolError::none) return error;
      data = data.subspan(length);
      continue;
    }
    const std::size_t take = std::min(length - size_, data.size());
    std::memcpy(recv_packet_buf_ + size_, data.data(), take);
    size_ += take;
    data = data.subspan(take);
    if (size_ == length) {
      size_ = 0;
      const ProtocolError error = sink.on_packet({recv_packet_buf_, length});
      if (error != ProtocolError::none) return error;
    }
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
