// Right: a helper thread calls the world for the thread that processes a packet, which waits for its answer.
#include "reassembly.h"

#include <algorithm>
#include <future>
#include <optional>
#include <string>

#include "world.h"

namespace lab {

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  std::size_t taken = 0;
  while (taken < data.size()) {
    const auto rest = data.subspan(taken);
    const unsigned length = size_ == 0 ? rest.front() : recv_packet_buf_[0];
    if (length < kHeaderSize || length > kMaxPacketSize) {
      return length < kHeaderSize ? ProtocolError::length_below_header : ProtocolError::length_above_maximum;
    }
    std::span<const unsigned char> whole;
    if (size_ == 0 && rest.size() >= length) {
      whole = rest.first(length);
      taken += length;
    } else {
      const auto part = rest.first(std::min<std::size_t>(rest.size(), length - size_));
      std::copy(part.begin(), part.end(), recv_packet_buf_ + size_);
      taken += part.size();
      size_ += part.size();
      if (size_ < length) return ProtocolError::none;
      whole = std::span<const unsigned char>(recv_packet_buf_).first(length);
      size_ = 0;
    }
    if (const auto error = sink.on_packet(whole); error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

namespace {

// What a packet asks for, or what is wrong with it.
struct Request {
  ProtocolError error = ProtocolError::none;
  std::string_view name;                // a login
  std::optional<Direction> direction{};  // a move
};

Request read(std::span<const unsigned char> packet) {
  const auto body = packet.subspan(kHeaderSize);
  if (packet[1] == CS_LOGIN) {
    const std::string_view name(reinterpret_cast<const char*>(body.data()), body.size());
    if (name.empty() || name.size() > kMaxNameSize) return {ProtocolError::wrong_size, {}};
    const bool is_good = std::none_of(name.begin(), name.end(), [](char c) { return c < 0x21 || c > 0x7E; });
    return {is_good ? ProtocolError::none : ProtocolError::bad_name, name};
  }
  if (packet[1] == CS_MOVE) {
    if (body.size() != 1) return {ProtocolError::wrong_size, {}};
    if (body[0] > 3) return {ProtocolError::bad_direction, {}};
    return {ProtocolError::none, {}, static_cast<Direction>(body[0])};
  }
  return {ProtocolError::unknown_type, {}};
}

}  // namespace

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const Request request = read(packet);
  if (request.error != ProtocolError::none) return request.error;
  if (request.direction) return world.move(*player, *request.direction);
  return std::async(std::launch::async, [&] { return world.login(player, request.name); }).get();
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  std::size_t size = 0;
  const auto put = [&](std::size_t byte) { out[size++] = static_cast<unsigned char>(byte); };
  for (auto left = positions; !left.empty(); left = left.subspan(std::min(left.size(), kMaxPositionsPerPacket))) {
    const auto some = left.first(std::min(left.size(), kMaxPositionsPerPacket));
    put(kHeaderSize + some.size_bytes() / sizeof(Position) * kPositionSize);
    put(some.size() == 1 ? SC_POSITION : SC_POSITIONS);
    for (const auto& [id, x, y] : some) {
      put(id & 0xFF);
      put(id >> 8);
      put(x);
      put(y);
    }
  }
  return size;
}

}  // namespace lab
