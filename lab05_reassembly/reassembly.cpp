// Lab 5: you write this file. reassembly.h says what each function must do; README.md leads you through the steps.
#include "reassembly.h"

#include "not_started.h"
#include "world.h"

namespace lab {

// TODO 1: whole packets out of a stream that is cut anywhere.
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  not_started("lab05 TODO 1", data, sink, recv_packet_buf_);
}

// TODO 2: process one packet.
ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  not_started("lab05 TODO 2", world, player, packet);
}

// TODO 3: positions as packets, and not one byte too many.
std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  not_started("lab05 TODO 3", positions, out);
}

}  // namespace lab
