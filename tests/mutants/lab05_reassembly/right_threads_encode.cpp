// Right: jthreads encode the packets of many positions, each a part of them; a latch tells when all have ended.
#include "reassembly.h"

#include <algorithm>
#include <cstring>
#include <latch>
#include <thread>
#include <vector>

#include "world.h"

namespace lab {

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  const unsigned char* at = data.data();
  const unsigned char* const end = at + data.size();
  while (at != end) {
    const std::size_t length = size_ != 0 ? recv_packet_buf_[0] : *at;
    if (length < 2) return ProtocolError::length_below_header;
    if (length > 250) return ProtocolError::length_above_maximum;
    const std::size_t here = std::min(length - size_, static_cast<std::size_t>(end - at));
    const bool is_whole = size_ + here == length;
    const unsigned char* packet = at;
    if (size_ != 0 || !is_whole) {
      std::memcpy(recv_packet_buf_ + size_, at, here);
      packet = recv_packet_buf_;
    }
    at += here;
    size_ = is_whole ? 0 : size_ + here;
    if (!is_whole) break;
    const ProtocolError answer = sink.on_packet({packet, length});
    if (answer != ProtocolError::none) return answer;
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const std::size_t size = packet.size() - kHeaderSize;
  const unsigned char* const body = packet.data() + kHeaderSize;
  switch (PacketType{packet[1]}) {
    case CS_LOGIN:
      if (size < 1 || size > kMaxNameSize) return ProtocolError::wrong_size;
      for (std::size_t i = 0; i < size; ++i) {
        if (body[i] <= ' ' || body[i] > '~') return ProtocolError::bad_name;
      }
      return world.login(player, {reinterpret_cast<const char*>(body), size});
    case CS_MOVE:
      if (size != 1) return ProtocolError::wrong_size;
      if (body[0] >= 4) return ProtocolError::bad_direction;
      return world.move(*player, static_cast<Direction>(body[0]));
    default:
      return ProtocolError::unknown_type;
  }
}

// The packets of at most kMaxPositionsPerPacket positions each. Returns their end.
static unsigned char* encode(std::span<const Position> positions, unsigned char* out) {
  for (std::size_t at = 0; at < positions.size(); at += kMaxPositionsPerPacket) {
    const std::size_t count = std::min(positions.size() - at, kMaxPositionsPerPacket);
    out[0] = static_cast<unsigned char>(kHeaderSize + kPositionSize * count);
    out[1] = count == 1 ? SC_POSITION : SC_POSITIONS;
    out += kHeaderSize;
    for (const Position& position : positions.subspan(at, count)) {
      const unsigned char wire[] = {static_cast<unsigned char>(position.id & 255), static_cast<unsigned char>(position.id >> 8),
                                    position.x, position.y};
      std::memcpy(out, wire, sizeof wire);
      out += sizeof wire;
    }
  }
  return out;
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  constexpr std::size_t kPart = 2 * kMaxPositionsPerPacket;  // packets never span two parts
  if (positions.size() <= kPart || positions.size() > 16 * kPart) {  // too few to share, or too many threads
    return static_cast<std::size_t>(encode(positions, out) - out);
  }
  const std::size_t parts = (positions.size() + kPart - 1) / kPart;
  std::latch done(static_cast<std::ptrdiff_t>(parts));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < parts; ++i) {
    threads.emplace_back([=, &done] {
      encode(positions.subspan(i * kPart, std::min(kPart, positions.size() - i * kPart)), out + i * encoded_size(kPart));
      done.count_down();
    });
  }
  done.wait();
  return encoded_size(positions.size());
}

}  // namespace lab
