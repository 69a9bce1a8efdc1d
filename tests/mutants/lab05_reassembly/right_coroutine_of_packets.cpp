// Right: a coroutine cuts the bytes into packets; another one turns positions into bytes, one at a time.
#include "reassembly.h"

#include <algorithm>
#include <coroutine>
#include <exception>

#include "world.h"

namespace lab {

namespace {

// Values that a coroutine yields, each when it is asked for.
template <class Value>
class Sequence {
 public:
  struct promise_type {
    Sequence get_return_object() { return Sequence(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(Value next) {
      value = next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
    Value value{};
  };
  explicit Sequence(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence() { handle_.destroy(); }
  bool next() {
    handle_.resume();
    return !handle_.done();
  }
  const Value& value() const { return handle_.promise().value; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

using Bytes = std::span<const unsigned char>;

struct Cut {
  Bytes packet;
  ProtocolError error = ProtocolError::none;
};

ProtocolError look_at_length(unsigned char length) {
  if (length < kHeaderSize) return ProtocolError::length_below_header;
  return length > kMaxPacketSize ? ProtocolError::length_above_maximum : ProtocolError::none;
}

// Moves bytes from the front of `data` behind the `size` bytes of `buffer`, until there are `wanted`.
void fill(unsigned char* buffer, std::size_t& size, std::size_t wanted, Bytes& data) {
  const std::size_t count = std::min(wanted - size, data.size());
  std::copy_n(data.begin(), count, buffer + size);
  size += count;
  data = data.subspan(count);
}

// The whole packets of `data`; the first may begin in `buffer`. What is left over is in `buffer` at the end.
Sequence<Cut> cut(unsigned char* buffer, std::size_t& size, Bytes data) {
  if (size > 0) {
    const std::size_t length = buffer[0];
    fill(buffer, size, length, data);
    if (size < length) co_return;
    size = 0;
    co_yield Cut{Bytes(buffer, length)};
  }
  while (!data.empty()) {
    const std::size_t length = data[0];
    if (const ProtocolError error = look_at_length(data[0]); error != ProtocolError::none) {
      co_yield Cut{{}, error};
      co_return;
    }
    if (data.size() < length) {
      fill(buffer, size, length, data);
      co_return;
    }
    const Bytes packet = data.first(length);
    data = data.subspan(length);
    co_yield Cut{packet};
  }
}

Sequence<unsigned char> bytes_of(std::span<const Position> positions) {
  for (std::size_t at = 0; at < positions.size(); ++at) {
    if (at % kMaxPositionsPerPacket == 0) {
      const std::size_t count = std::min(kMaxPositionsPerPacket, positions.size() - at);
      co_yield static_cast<unsigned char>(kHeaderSize + count * kPositionSize);
      co_yield count > 1 ? SC_POSITIONS : SC_POSITION;
    }
    const Position position = positions[at];
    co_yield static_cast<unsigned char>(position.id);
    co_yield static_cast<unsigned char>(position.id / 256);
    co_yield position.x;
    co_yield position.y;
  }
}

}  // namespace

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  Sequence<Cut> cuts = cut(recv_packet_buf_, size_, data);
  while (cuts.next()) {
    const Cut one = cuts.value();
    const ProtocolError error = one.error != ProtocolError::none ? one.error : sink.on_packet(one.packet);
    if (error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const Bytes body = packet.subspan(kHeaderSize);
  if (packet[1] == CS_LOGIN) {
    if (body.empty() || body.size() > kMaxNameSize) return ProtocolError::wrong_size;
    for (const unsigned char c : body) {
      if (c < 0x21 || c > 0x7E) return ProtocolError::bad_name;
    }
    return world.login(player, std::string_view(reinterpret_cast<const char*>(body.data()), body.size()));
  }
  if (packet[1] != CS_MOVE) return ProtocolError::unknown_type;
  if (body.size() != 1) return ProtocolError::wrong_size;
  if (body[0] > 3) return ProtocolError::bad_direction;
  return world.move(*player, Direction(body[0]));
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  unsigned char* next = out;
  Sequence<unsigned char> bytes = bytes_of(positions);
  while (bytes.next()) *next++ = bytes.value();
  return static_cast<std::size_t>(next - out);
}

}  // namespace lab
