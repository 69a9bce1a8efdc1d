// Right: feed is a state machine with two states (at a border, inside of a cut packet) in a switch; the
// state is told by size_. The bytes of a cut packet are copied one by one. The name is checked with a constexpr table of 256
// entries; encode_positions counts down and works with std::byte-like helper objects.
#include "reassembly.h"

#include <array>
#include <cstddef>

#include "world.h"

namespace lab {

namespace {

enum class State { border, inside };

constexpr std::array<bool, 256> make_visible() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x21; c <= 0x7E; ++c) table[c] = true;
  return table;
}
constexpr std::array<bool, 256> kVisible = make_visible();

class Writer {
 public:
  explicit Writer(unsigned char* out) : begin_(out), at_(out) {}
  Writer& u8(unsigned value) {
    *at_++ = static_cast<unsigned char>(value);
    return *this;
  }
  Writer& u16(unsigned value) { return u8(value & 0xFFu).u8(value >> 8 & 0xFFu); }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  unsigned char* begin_;
  unsigned char* at_;
};

}  // namespace

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  State state = size_ == 0 ? State::border : State::inside;
  std::size_t i = 0;  // the next byte
  while (i < data.size()) {
    switch (state) {
      case State::border: {
        const unsigned length = data[i];
        if (length < kHeaderSize) return ProtocolError::length_below_header;
        if (length > kMaxPacketSize) return ProtocolError::length_above_maximum;
        if (data.size() - i >= length) {
          const auto packet = data.subspan(i, length);
          i += length;
          if (const ProtocolError error = sink.on_packet(packet); error != ProtocolError::none) return error;
        } else {
          recv_packet_buf_[size_++] = data[i++];
          state = State::inside;
        }
        break;
      }
      case State::inside: {
        recv_packet_buf_[size_++] = data[i++];
        if (size_ == recv_packet_buf_[0]) {
          const std::size_t length = size_;
          size_ = 0;
          state = State::border;
          const ProtocolError error = sink.on_packet({recv_packet_buf_, length});
          if (error != ProtocolError::none) return error;
        }
        break;
      }
    }
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const auto type = packet[1];
  const auto body = packet.subspan(2);
  if (type != CS_LOGIN && type != CS_MOVE) return ProtocolError::unknown_type;
  const std::size_t most = type == CS_LOGIN ? kMaxNameSize : 1;
  if (body.empty() || body.size() > most) return ProtocolError::wrong_size;
  if (type == CS_MOVE) {
    if ((body[0] & ~3u) != 0) return ProtocolError::bad_direction;
    return world.move(*player, static_cast<Direction>(body[0]));
  }
  char name[kMaxNameSize];  // a copy, so that nobody needs a cast
  std::size_t size = 0;
  for (const unsigned char c : body) {
    if (!kVisible[c]) return ProtocolError::bad_name;
    name[size++] = static_cast<char>(c);
  }
  return world.login(player, {name, size});
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  Writer writer(out);
  std::size_t left = positions.size();
  std::size_t in_packet = 0;
  for (const Position& p : positions) {
    if (in_packet == 0) {
      in_packet = left < kMaxPositionsPerPacket ? left : kMaxPositionsPerPacket;
      writer.u8(static_cast<unsigned>(kHeaderSize + in_packet * kPositionSize));
      writer.u8(in_packet == 1 ? SC_POSITION : SC_POSITIONS);
    }
    writer.u16(p.id).u8(p.x).u8(p.y);
    --in_packet;
    --left;
  }
  return writer.size();
}

}  // namespace lab
