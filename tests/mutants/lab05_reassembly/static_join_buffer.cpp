// Wrong: cut packets are joined in one static buffer for all clients, and the sink reads them from there.
// Breaks: "Threads: ... One client has one Reassembler ... nobody else is in here"; common mistakes: "`static` or global
// buffer: Two clients get each other's bytes." Several workers feed different clients at the same time.
// Shows: only when two threads join a packet at the same moment (a data race), or when a sink feeds another Reassembler.
// One client after the other, even with cut packets interleaved, is right, because the fronts wait in recv_packet_buf_.
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
    const std::size_t missing = length - size_;
    if (static_cast<std::size_t>(end - at) < missing) {
      std::copy(at, end, recv_packet_buf_ + size_);
      size_ += static_cast<std::size_t>(end - at);
      return ProtocolError::none;
    }
    static unsigned char joined[kMaxPacketSize];
    std::copy(at, at + missing, std::copy(recv_packet_buf_, recv_packet_buf_ + size_, joined));
    at += missing;
    size_ = 0;
    const ProtocolError error = sink.on_packet({joined, length});
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
    return world.login(player, std::string_view(reinterpret_cast<const char*>(bytes) + kHeaderSize, size - kHeaderSize));
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
