// Wrong: to get a C string, the byte behind the name is set to zero for a moment, in the receive buffer itself (and put
// back afterwards). The byte may be the next packet's, or behind the end of the data: a write outside of what was given.
// Breaks: README step 2 "the name has no zero at its end"; `data` and `packet` are spans of const bytes, valid up to their
// size only.
// Shows: no byte on the wire is ever wrong. A sanitizer sees the write when the login is the last thing in its memory, or a
// test sees it with read-only or guarded memory.
#include "reassembly.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "world.h"

namespace lab {

// The length byte, or what is wrong with it.
static ProtocolError bad_length(unsigned char length) {
  return length < kHeaderSize     ? ProtocolError::length_below_header
         : length > kMaxPacketSize ? ProtocolError::length_above_maximum
                                   : ProtocolError::none;
}

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  const unsigned char* at = data.data();
  const unsigned char* const end = at + data.size();

  // 1. The back of a packet whose front waits.
  if (size_ != 0 && at != end) {
    const std::size_t length = recv_packet_buf_[0];
    const std::size_t take = std::min<std::size_t>(length - size_, static_cast<std::size_t>(end - at));
    std::copy(at, at + take, recv_packet_buf_ + size_);
    size_ += take;
    at += take;
    if (size_ < length) return ProtocolError::none;
    size_ = 0;
    const ProtocolError error = sink.on_packet({recv_packet_buf_, length});
    if (error != ProtocolError::none) return error;
  }

  // 2. Packets that lie whole in the data.
  while (at != end) {
    const std::size_t length = *at;
    if (const ProtocolError error = bad_length(*at); error != ProtocolError::none) return error;
    if (static_cast<std::size_t>(end - at) < length) break;
    if (const ProtocolError error = sink.on_packet({at, length}); error != ProtocolError::none) return error;
    at += length;
  }

  // 3. The front of a packet whose back has not come.
  if (at != end) {
    size_ = static_cast<std::size_t>(end - at);
    std::copy(at, end, recv_packet_buf_);
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const unsigned char* const bytes = packet.data();
  const std::size_t size = packet.size();
  if (bytes[1] == CS_MOVE) {
    if (size != kHeaderSize + 1) return ProtocolError::wrong_size;
    switch (bytes[2]) {
      case 0: return world.move(*player, Direction::up);
      case 1: return world.move(*player, Direction::down);
      case 2: return world.move(*player, Direction::left);
      case 3: return world.move(*player, Direction::right);
      default: return ProtocolError::bad_direction;
    }
  }
  if (bytes[1] == CS_LOGIN) {
    if (size <= kHeaderSize || size > kHeaderSize + kMaxNameSize) return ProtocolError::wrong_size;
    for (std::size_t i = kHeaderSize; i < size; ++i) {
      if (bytes[i] < 0x21 || bytes[i] > 0x7E) return ProtocolError::bad_name;
    }
    char* const name = reinterpret_cast<char*>(const_cast<unsigned char*>(bytes)) + kHeaderSize;
    const char behind = name[size - kHeaderSize];
    name[size - kHeaderSize] = '\0';
    const ProtocolError result = world.login(player, std::string_view(name));
    name[size - kHeaderSize] = behind;
    return result;
  }
  return ProtocolError::unknown_type;
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
