// Wrong: each receive is taken for one packet.
#include "reassembly.h"

#include <string>

#include "world.h"

namespace lab {

// TODO 1: make packets from bytes.
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  if (data.size() == 0) {
    return ProtocolError::none;
  }
  size_ = 0;  // nothing waits, each recv is a new packet
  int length = data[0];
  if (length < 2) {
    return ProtocolError::length_below_header;
  }
  if (length > 250) {
    return ProtocolError::length_above_maximum;
  }
  if (data.size() < static_cast<std::size_t>(length)) {
    recv_packet_buf_[0] = data[0];  // it is not complete, so it is broken
    return ProtocolError::none;
  }
  return sink.on_packet(data.first(length));
}

// TODO 2: look what the packet wants.
ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  unsigned char type = packet[1];
  if (type == CS_LOGIN) {
    std::size_t nameLength = packet.size() - 2;
    if (nameLength < 1 || nameLength > 20) {
      return ProtocolError::wrong_size;
    }
    std::string name;
    for (std::size_t i = 2; i < packet.size(); i++) {
      unsigned char c = packet[i];
      if (c < 0x21 || c > 0x7E) {
        return ProtocolError::bad_name;
      }
      name += static_cast<char>(c);
    }
    return world.login(player, name);
  } else if (type == CS_MOVE) {
    if (packet.size() != 3) {
      return ProtocolError::wrong_size;
    }
    unsigned char direction = packet[2];
    if (direction > 3) {
      return ProtocolError::bad_direction;
    }
    return world.move(*player, static_cast<Direction>(direction));
  }
  return ProtocolError::unknown_type;
}

// TODO 3: positions to bytes.
std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  std::size_t written = 0;
  std::size_t done = 0;
  while (done < positions.size()) {
    std::size_t count = positions.size() - done;
    if (count > kMaxPositionsPerPacket) {
      count = kMaxPositionsPerPacket;
    }
    out[written++] = static_cast<unsigned char>(2 + count * 4);
    if (count == 1) {
      out[written++] = SC_POSITION;
    } else {
      out[written++] = SC_POSITIONS;
    }
    for (std::size_t i = 0; i < count; i++) {
      Position p = positions[done + i];
      out[written++] = static_cast<unsigned char>(p.id % 256);
      out[written++] = static_cast<unsigned char>(p.id / 256);
      out[written++] = p.x;
      out[written++] = p.y;
    }
    done += count;
  }
  return written;
}

}  // namespace lab
