// Wrong: the direction is read before the size is checked, so a move without a body is read beyond its end.
#include "reassembly.h"

#include <string>

#include "world.h"

namespace lab {

// TODO 1: make packets from bytes.
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  std::size_t pos = 0;  // how many bytes of data we have used
  while (pos < data.size()) {
    std::size_t rest = data.size() - pos;
    // where is the length of the packet?
    int length = 0;
    if (size_ > 0) {
      length = recv_packet_buf_[0];
    } else {
      length = data[pos];
    }
    if (length < 2) {
      return ProtocolError::length_below_header;
    }
    if (length > 250) {
      return ProtocolError::length_above_maximum;
    }
    std::size_t needed = length - size_;
    if (rest < needed) {
      // not complete, keep it for the next time
      for (std::size_t i = 0; i < rest; i++) {
        recv_packet_buf_[size_] = data[pos + i];
        size_++;
      }
      return ProtocolError::none;
    }
    ProtocolError result;
    if (size_ > 0) {
      // put the second part behind the first part
      for (std::size_t i = 0; i < needed; i++) {
        recv_packet_buf_[size_] = data[pos + i];
        size_++;
      }
      size_ = 0;
      result = sink.on_packet(std::span<const unsigned char>(recv_packet_buf_, length));
    } else {
      result = sink.on_packet(data.subspan(pos, length));
    }
    pos += needed;
    if (result != ProtocolError::none) {
      return result;
    }
  }
  return ProtocolError::none;
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
    const unsigned char* body = packet.data() + 2;
    volatile unsigned char direction = body[0];
    if (packet.size() != 3) {
      return ProtocolError::wrong_size;
    }
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
