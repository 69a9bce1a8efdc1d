// Wrong: the fronts of cut packets are kept in a global map, by the address of the Reassembler. Nobody takes them out when
// the client goes. A later client at the same address begins with the front of the one before.
// Breaks: reassembly.h "the buffer holds the front"; README "keep nothing in a static or global variable".
// Shows: when clients come and go in the middle of packets.
#include "reassembly.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "world.h"

namespace lab {

static ProtocolError check_length(std::size_t length) {
  if (length < kHeaderSize) return ProtocolError::length_below_header;
  if (length > kMaxPacketSize) return ProtocolError::length_above_maximum;
  return ProtocolError::none;
}

static std::mutex fronts_mutex;
static std::map<const Reassembler*, std::vector<unsigned char>> fronts;

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  std::vector<unsigned char>* front = nullptr;
  {
    std::lock_guard lock(fronts_mutex);
    front = &fronts[this];
  }
  while (!data.empty()) {
    const std::size_t length = front->empty() ? data[0] : front->front();
    if (const ProtocolError error = check_length(length); error != ProtocolError::none) return error;
    const std::size_t missing = length - front->size();
    if (data.size() < missing) {
      front->insert(front->end(), data.begin(), data.end());
      size_ = front->size();
      return ProtocolError::none;
    }
    ProtocolError error = ProtocolError::none;
    if (front->empty()) {
      error = sink.on_packet(data.first(missing));
    } else {
      front->insert(front->end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(missing));
      error = sink.on_packet(*front);
      front->clear();
      size_ = 0;
    }
    data = data.subspan(missing);
    if (error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

static ProtocolError process_login(World& world, const std::shared_ptr<Player>& player,
                                   std::span<const unsigned char> name) {
  if (name.empty() || name.size() > kMaxNameSize) return ProtocolError::wrong_size;
  const auto visible = [](unsigned char c) { return c >= 0x21 && c <= 0x7E; };
  if (!std::all_of(name.begin(), name.end(), visible)) return ProtocolError::bad_name;
  return world.login(player, {reinterpret_cast<const char*>(name.data()), name.size()});
}

static ProtocolError process_move(World& world, Player& player, std::span<const unsigned char> body) {
  if (body.size() != 1) return ProtocolError::wrong_size;
  if (body[0] > static_cast<unsigned char>(Direction::right)) return ProtocolError::bad_direction;
  return world.move(player, static_cast<Direction>(body[0]));
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const auto body = packet.subspan(kHeaderSize);
  switch (packet[1]) {
    case CS_LOGIN: return process_login(world, player, body);
    case CS_MOVE: return process_move(world, *player, body);
    default: return ProtocolError::unknown_type;
  }
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
