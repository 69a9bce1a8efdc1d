// Lab 5: whole packets out of a stream of bytes, and how they are processed. (Notes N15, N16, N20, N21, N22)
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

// Receives the packets that a Reassembler has completed.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // Gets one whole packet, including its header: packet.size() == packet[0]. Valid during this call only.
  // Meanwhile it may feed the Reassemblers of other clients, or wait for a thread that does. Anything but `none` stops
  // the reassembly.
  virtual ProtocolError on_packet(std::span<const unsigned char> packet) = 0;
};

// Reassembles one client's packets (N16). TCP keeps the bytes and their order, not the borders of the sends: a packet
// can arrive in several receives, and one receive can hold many packets.
//
//   receive 1            receive 2                receive 3
//   [ 3 2 0 | 3 2 ]      [ 1 | 6 1 n a m ]        [ e | 3 2 3 ]
//     packet   front       back   front             back  packet
//
// Between two calls of feed the buffer holds the front of a packet whose back has not arrived yet (N21), or nothing.
//
// Threads: not thread-safe. One client has one Reassembler and one pending receive, so one thread at a time uses it.
// Other threads use the Reassemblers of other clients at the same time.
class Reassembler {
 public:
  // Takes the next `data` of the stream, and passes every packet that is now complete to `sink`, in order.
  //
  // Returns none when it has taken all of `data`. Returns length_below_header or length_above_maximum as soon as it
  // sees such a length byte, even if no other byte of that packet has arrived. Returns what the sink returned, if that
  // is not none. After an error the client must be disconnected: the packet borders are lost, and feed must not be
  // called again. Packets before the error have been passed to the sink.
  //
  // Copies only cut packets: a packet that is complete in `data` is passed to the sink without a copy.
  ProtocolError feed(std::span<const unsigned char> data, PacketSink& sink);

  // Returns the number of bytes of the cut packet in the buffer: 0 to kMaxPacketSize - 1.
  std::size_t waiting() const { return size_; }

 private:
  unsigned char recv_packet_buf_[kMaxPacketSize];  // the notes call it m_recv_packet_buf (N21)
  std::size_t size_ = 0;                           // bytes in use
};

// Processes one packet (N15). `packet` is complete, as PacketSink::on_packet gets it.
//   CS_LOGIN: wrong_size unless the name has 1 to 20 bytes; bad_name; otherwise world.login(player, name).
//   CS_MOVE:  wrong_size; bad_direction; otherwise world.move(*player, direction).
//   others:   unknown_type. Packets that only the server sends are also unknown here.
// World::login and World::move return the other errors themselves (already_logged_in, not_logged_in, world_is_full).
// Keeps neither `player` nor any part of `packet`; the world keeps the players that have logged in.
// Threads: any, at the same time for different players.
// REQUIRES: packet.size() >= kHeaderSize.
ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet);

// Writes positions as packets, in order: one position alone as SC_POSITION; several as SC_POSITIONS with at most
// kMaxPositionsPerPacket each; if one position remains for the last packet, it is an SC_POSITION. No padding, no
// alignment: each number is written byte by byte, little-endian (N22).
// Returns the number of bytes written.
// Threads: any, at the same time for different `out`.
// REQUIRES: `out` has room for encoded_size(positions.size()) bytes.
std::size_t encode_positions(std::span<const Position> positions, unsigned char* out);

// Returns the number of bytes that encode_positions writes for this many positions.
constexpr std::size_t encoded_size(std::size_t positions) {
  const std::size_t packets = (positions + kMaxPositionsPerPacket - 1) / kMaxPositionsPerPacket;
  return packets * kHeaderSize + positions * kPositionSize;
}

}  // namespace lab
