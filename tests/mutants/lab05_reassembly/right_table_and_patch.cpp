// Right: the whole packets of a receive are listed first and given on then, so what is cut is kept before the sink has seen
// anything. The types are a table. The length of a packet of positions is patched in when the packet is full.
#include "reassembly.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "world.h"

namespace lab {

using Packet = std::span<const unsigned char>;

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  std::vector<Packet> list;
  unsigned char joined[kMaxPacketSize];  // the next front may need the buffer before the sink gets this packet
  ProtocolError end = ProtocolError::none;
  auto at = data.begin();
  while (at != data.end()) {
    const unsigned length = size_ != 0 ? recv_packet_buf_[0] : *at;
    if (length < kHeaderSize || length > kMaxPacketSize) {
      end = length < kHeaderSize ? ProtocolError::length_below_header : ProtocolError::length_above_maximum;
      break;
    }
    const auto have = static_cast<std::size_t>(data.end() - at);
    const std::size_t need = length - size_;
    if (have < need) {
      at = (std::copy(at, data.end(), recv_packet_buf_ + size_), data.end());
      size_ += have;
    } else if (size_ != 0) {
      std::copy_n(at, need, std::copy_n(recv_packet_buf_, size_, joined));
      list.emplace_back(joined, length);
      size_ = 0;
      at += static_cast<std::ptrdiff_t>(need);
    } else {
      list.push_back(data.subspan(data.size() - have, need));
      at += static_cast<std::ptrdiff_t>(need);
    }
  }
  for (const Packet packet : list) {
    const ProtocolError refused = sink.on_packet(packet);
    if (refused != ProtocolError::none) return refused;
  }
  return end;
}

namespace {

ProtocolError on_login(World& world, const std::shared_ptr<Player>& player, Packet body) {
  const std::string_view name(reinterpret_cast<const char*>(body.data()), body.size());
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c == '\x7F'; });
  // Where char is signed, a byte above 127 is negative. Where it is not, it is above '~'.
  const bool high = std::any_of(body.begin(), body.end(), [](unsigned char c) { return (c & 0x80) != 0; });
  return bad || high ? ProtocolError::bad_name : world.login(player, name);
}

ProtocolError on_move(World& world, const std::shared_ptr<Player>& player, Packet body) {
  static constexpr Direction kDirections[] = {Direction::up, Direction::down, Direction::left, Direction::right};
  return body[0] < std::size(kDirections) ? world.move(*player, kDirections[body[0]]) : ProtocolError::bad_direction;
}

struct Type {
  PacketType type;
  std::size_t shortest;  // of the body
  std::size_t longest;
  ProtocolError (*play)(World&, const std::shared_ptr<Player>&, Packet);
};
constexpr Type kTypes[] = {{CS_LOGIN, 1, kMaxNameSize, &on_login}, {CS_MOVE, 1, 1, &on_move}};

}  // namespace

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player, Packet packet) {
  const Packet body = packet.last(packet.size() - kHeaderSize);
  for (const Type& known : kTypes) {
    if (known.type != packet[1]) continue;
    if (body.size() < known.shortest || body.size() > known.longest) return ProtocolError::wrong_size;
    return known.play(world, player, body);
  }
  return ProtocolError::unknown_type;
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  std::size_t size = 0;
  std::size_t head = 0;  // where the last packet begins
  for (const Position& p : positions) {
    if (size == 0 || size - head + kPositionSize > kMaxPacketSize) {
      head = size;
      size += kHeaderSize;
    }
    for (const unsigned byte : {p.id & 0xFFu, p.id >> 8 & 0xFFu, unsigned{p.x}, unsigned{p.y}}) {
      out[size++] = static_cast<unsigned char>(byte);
    }
    out[head] = static_cast<unsigned char>(size - head);
    out[head + 1] = size - head == kHeaderSize + kPositionSize ? SC_POSITION : SC_POSITIONS;
  }
  return size;
}

}  // namespace lab
