// Right: a cut packet is completed byte by byte, as a small state machine; whole packets are found by a look ahead.
#include "reassembly.h"

#include <array>
#include <cctype>
#include <string_view>

#include "world.h"

namespace lab {

// States: size_ == 0, "between two packets"; size_ > 0, "inside of a cut packet".
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  for (auto at = data.begin(); at != data.end();) {
    std::span<const unsigned char> whole;
    if (size_ == 0) {
      const unsigned length = *at;
      if (length < kHeaderSize) return ProtocolError::length_below_header;
      if (length > kMaxPacketSize) return ProtocolError::length_above_maximum;
      if (static_cast<std::size_t>(data.end() - at) >= length) {
        whole = {at, length};
        at += length;
      }
    }
    if (whole.empty()) {
      recv_packet_buf_[size_++] = *at++;
      if (size_ < recv_packet_buf_[0]) continue;
      whole = {recv_packet_buf_, size_};
      size_ = 0;
    }
    if (const ProtocolError error = sink.on_packet(whole); error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const auto type = packet[1];
  const std::string_view body(reinterpret_cast<const char*>(packet.data()) + kHeaderSize, packet.size() - kHeaderSize);
  if (type == CS_LOGIN) {
    if (body.empty() || body.size() > kMaxNameSize) return ProtocolError::wrong_size;
    for (const char c : body) {
      if (std::isgraph(static_cast<unsigned char>(c)) == 0) return ProtocolError::bad_name;  // 0x21 to 0x7E
    }
    return world.login(player, body);
  }
  if (type != CS_MOVE) return ProtocolError::unknown_type;
  if (body.size() != 1) return ProtocolError::wrong_size;
  constexpr std::array directions = {Direction::up, Direction::down, Direction::left, Direction::right};
  const auto number = static_cast<unsigned char>(body[0]);
  if (number >= directions.size()) return ProtocolError::bad_direction;
  return world.move(*player, directions[number]);
}

static std::size_t encode_packet(std::span<const Position> some, unsigned char* out) {
  unsigned char* at = out + kHeaderSize;
  for (const auto& [id, x, y] : some) {
    for (const unsigned byte : {id & 0xFFu, id / 0x100u, unsigned{x}, unsigned{y}}) *at++ = static_cast<unsigned char>(byte);
  }
  out[0] = static_cast<unsigned char>(at - out);
  out[1] = some.size() == 1 ? SC_POSITION : SC_POSITIONS;
  return out[0];
}

// Recursive: the first packet, then the rest.
std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  if (positions.empty()) return 0;
  if (positions.size() <= kMaxPositionsPerPacket) return encode_packet(positions, out);
  const std::size_t size = encode_packet(positions.first(kMaxPositionsPerPacket), out);
  return size + encode_positions(positions.subspan(kMaxPositionsPerPacket), out + size);
}

}  // namespace lab
