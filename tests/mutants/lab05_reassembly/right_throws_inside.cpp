// Right: whatever is wrong with a packet is thrown and caught again at the border of this file. A reader takes the bytes of
// a packet off its front. No exception leaves a function of the contract.
#include "reassembly.h"

#include <algorithm>
#include <string>

#include "world.h"

namespace lab {
namespace {

struct Refused {
  ProtocolError why;
};

void require(bool holds, ProtocolError otherwise) {
  if (!holds) throw Refused{otherwise};
}

void pass(ProtocolError error) { require(error == ProtocolError::none, error); }

class Reader {
 public:
  explicit Reader(std::span<const unsigned char> bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  std::size_t left() const { return bytes_.size(); }
  unsigned char peek() const { return bytes_.front(); }
  unsigned char byte() { return take(1).front(); }
  std::span<const unsigned char> take(std::size_t count) {
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.last(bytes_.size() - count);
    return taken;
  }

 private:
  std::span<const unsigned char> bytes_;
};

template <class Body>
ProtocolError caught(Body body) {
  try {
    body();
  } catch (const Refused& refused) {
    return refused.why;
  }
  return ProtocolError::none;
}

void log_in(World& world, const std::shared_ptr<Player>& player, Reader body) {
  require(!body.done() && body.left() <= kMaxNameSize, ProtocolError::wrong_size);
  std::string name;
  while (!body.done()) {
    const unsigned char c = body.byte();
    require(c > 0x20, ProtocolError::bad_name);
    require(c < 0x7F, ProtocolError::bad_name);
    name.push_back(static_cast<char>(c));
  }
  pass(world.login(player, name));
}

void step(World& world, Player& player, Reader body) {
  require(body.left() == 1, ProtocolError::wrong_size);
  switch (body.byte()) {
    case 0: return pass(world.move(player, Direction::up));
    case 1: return pass(world.move(player, Direction::down));
    case 2: return pass(world.move(player, Direction::left));
    case 3: return pass(world.move(player, Direction::right));
    default: throw Refused{ProtocolError::bad_direction};
  }
}

}  // namespace

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  return caught([&] {
    for (Reader reader(data); !reader.done();) {
      const std::size_t length = size_ == 0 ? reader.peek() : recv_packet_buf_[0];
      require(length >= kHeaderSize, ProtocolError::length_below_header);
      require(length <= kMaxPacketSize, ProtocolError::length_above_maximum);
      if (size_ == 0 && reader.left() >= length) {
        pass(sink.on_packet(reader.take(length)));
        continue;
      }
      const auto more = reader.take(std::min(reader.left(), length - size_));
      std::copy(more.begin(), more.end(), recv_packet_buf_ + size_);
      size_ += more.size();
      if (size_ < length) return;
      size_ = 0;
      pass(sink.on_packet({recv_packet_buf_, length}));
    }
  });
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  return caught([&] {
    Reader reader(packet);
    reader.byte();  // the length
    const unsigned char type = reader.byte();
    require(type == CS_LOGIN || type == CS_MOVE, ProtocolError::unknown_type);
    if (type == CS_LOGIN) log_in(world, player, reader);
    if (type == CS_MOVE) step(world, *player, reader);
  });
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  std::basic_string<char> bytes;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::size_t in_packet = i % kMaxPositionsPerPacket;
    if (in_packet == 0) {
      const std::size_t count = std::min(kMaxPositionsPerPacket, positions.size() - i);
      bytes += static_cast<char>(kHeaderSize + kPositionSize * count);
      bytes += static_cast<char>(count > 1 ? SC_POSITIONS : SC_POSITION);
    }
    bytes += static_cast<char>(positions[i].id % 256);
    bytes += static_cast<char>(positions[i].id / 256);
    bytes += static_cast<char>(positions[i].x);
    bytes += static_cast<char>(positions[i].y);
  }
  std::copy(bytes.begin(), bytes.end(), out);
  return bytes.size();
}

}  // namespace lab
