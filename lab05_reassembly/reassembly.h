// Lab 05: whole packets out of a stream of bytes, and what they do. (Notes N15, N16, N20, N21, N22)
//
// You write reassembly.cpp. The functions below are its contract.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "protocol.h"

namespace lab {

class World;
struct Player;

// Gets the packets that a Reassembler has put together.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // One whole packet, its header included: packet.size() == packet[0]. Valid during this call only. It may feed the
  // Reassemblers of other clients meanwhile, or wait for a thread that does. Anything but `none` stops the reassembly.
  virtual ProtocolError on_packet(std::span<const unsigned char> packet) = 0;
};

// Puts one client's packets together again (N16). TCP keeps the bytes and their order, not the borders of the sends: a
// packet can come in several receives, and one receive can hold many packets.
//
//   receive 1            receive 2                receive 3
//   [ 3 2 0 | 3 2 ]      [ 1 | 6 1 n a m ]        [ e | 3 2 3 ]
//     packet   front       back   front             back  packet
//
// Between two calls of feed the buffer holds the front of a packet whose back has not come yet (N21), or nothing.
//
// Threads: none of its own. One client has one Reassembler and one pending receive, so nobody else is in here. Other
// threads use the Reassemblers of other clients at the same time.
class Reassembler {
 public:
  // Takes the next `data` of the stream, and gives every packet that is whole now to `sink`, in order.
  //
  // Returns none when all of `data` has been taken. Returns length_below_header or length_above_maximum as soon as it
  // sees such a length byte, even when no other byte of that packet has come. Returns what the sink returned, when that
  // is not none. After an error the client is to be disconnected: the stream has no borders any more, and feed must not
  // be called again. Packets before the error have reached the sink.
  //
  // Copies only what is cut: a packet that lies whole in `data` goes to the sink from there.
  ProtocolError feed(std::span<const unsigned char> data, PacketSink& sink);

  // How many bytes of a cut packet wait for the rest: 0 to kMaxPacketSize - 1.
  std::size_t waiting() const { return size_; }

 private:
  unsigned char recv_packet_buf_[kMaxPacketSize];  // the notes call it m_recv_packet_buf (N21)
  std::size_t size_ = 0;                           // bytes in use of it
};

// Does what one packet asks for (N15). `packet` is whole, as PacketSink::on_packet gets it.
//   CS_LOGIN: wrong_size unless the name has 1 to 20 bytes; bad_name; else world.login(player, name).
//   CS_MOVE:  wrong_size; bad_direction; else world.move(*player, direction).
//   others:   unknown_type. Packets that only the server sends are unknown here, too.
// World::login and World::move say themselves what else is wrong (already_logged_in, not_logged_in, world_is_full).
// Keeps neither `player` nor anything of `packet`; the world keeps who has logged in.
// Threads: any, at the same time for different players.
// REQUIRES: packet.size() >= kHeaderSize.
ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet);

// Writes positions as packets, in order: one position alone as SC_POSITION; several as SC_POSITIONS with at most
// kMaxPositionsPerPacket each; what is left over for the last packet may again be one alone. No padding, no alignment:
// each number goes out byte by byte, little-endian (N22).
// Returns the number of bytes written.
// Threads: any, at the same time for different `out`.
// REQUIRES: `out` has room for encoded_size(positions.size()) bytes.
std::size_t encode_positions(std::span<const Position> positions, unsigned char* out);

// How many bytes encode_positions writes for this many positions.
constexpr std::size_t encoded_size(std::size_t positions) {
  const std::size_t packets = (positions + kMaxPositionsPerPacket - 1) / kMaxPositionsPerPacket;
  return packets * kHeaderSize + positions * kPositionSize;
}

}  // namespace lab
