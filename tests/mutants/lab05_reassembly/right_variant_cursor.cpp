// Right: a cursor class cuts the data into a std::variant of Whole / Front / Bad, and std::visit with
// overloaded lambdas acts on it; the waiting front is first completed with std::ranges::copy. process_packet works with
// std::optional and immediately invoked lambdas; encode_positions is a template over an output iterator.
#include "reassembly.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "world.h"

namespace lab {

namespace {

using Bytes = std::span<const unsigned char>;

struct Whole { Bytes packet; };
struct Front { Bytes bytes; };
struct Bad { ProtocolError error; };
using Piece = std::variant<Whole, Front, Bad>;

template <class... F> struct Overloaded : F... { using F::operator()...; };
template <class... F> Overloaded(F...) -> Overloaded<F...>;

// Cuts packets off the front of some bytes.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  Bytes take(std::size_t most) {
    const Bytes taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  Piece next() {
    const std::size_t length = rest_.front();
    if (length < kHeaderSize) return Bad{ProtocolError::length_below_header};
    if (length > kMaxPacketSize) return Bad{ProtocolError::length_above_maximum};
    const Bytes taken = take(length);
    if (taken.size() == length) return Whole{taken};
    return Front{taken};
  }

 private:
  Bytes rest_;
};

}  // namespace

ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink) {
  Cursor cursor(data);
  if (size_ > 0) {
    const std::size_t length = recv_packet_buf_[0];
    const Bytes back = cursor.take(length - size_);
    std::ranges::copy(back, std::begin(recv_packet_buf_) + static_cast<std::ptrdiff_t>(size_));
    size_ += back.size();
    if (size_ < length) return ProtocolError::none;
    const Bytes packet(recv_packet_buf_, std::exchange(size_, 0));
    if (const auto error = sink.on_packet(packet); error != ProtocolError::none) return error;
  }
  while (!cursor.at_end()) {
    const ProtocolError error = std::visit(
        Overloaded{
            [&](const Whole& whole) { return sink.on_packet(whole.packet); },
            [&](const Front& front) {
              std::ranges::copy(front.bytes, std::begin(recv_packet_buf_));
              size_ = front.bytes.size();
              return ProtocolError::none;
            },
            [](const Bad& bad) { return bad.error; },
        },
        cursor.next());
    if (error != ProtocolError::none) return error;
  }
  return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet) {
  const Bytes body = packet.subspan<kHeaderSize>();
  const auto name = [&]() -> std::optional<std::string_view> {
    if (!std::ranges::all_of(body, [](unsigned c) { return c - 0x21u <= 0x7Eu - 0x21u; })) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(body.data()), body.size());
  };
  const auto direction = [&]() -> std::optional<Direction> {
    constexpr std::array all{Direction::up, Direction::down, Direction::left, Direction::right};
    if (body[0] >= all.size()) return std::nullopt;
    return all[body[0]];
  };
  switch (static_cast<PacketType>(packet[1])) {
    case CS_LOGIN:
      if (body.size() - 1 >= kMaxNameSize) return ProtocolError::wrong_size;  // 0 wraps round to a huge number
      if (const auto text = name()) return world.login(player, *text);
      return ProtocolError::bad_name;
    case CS_MOVE:
      if (body.size() != 1) return ProtocolError::wrong_size;
      if (const auto way = direction()) return world.move(*player, *way);
      return ProtocolError::bad_direction;
    default: return ProtocolError::unknown_type;
  }
}

template <class Out>
static Out write_packet(std::span<const Position> positions, Out out) {
  const auto put = [&out](std::size_t byte) { *out++ = static_cast<unsigned char>(byte & 0xFF); };
  put(kHeaderSize + positions.size() * kPositionSize);
  put(positions.size() == 1 ? SC_POSITION : SC_POSITIONS);
  for (const auto& [id, x, y] : positions) {
    for (const std::size_t byte : {std::size_t{id}, std::size_t{id} >> 8, std::size_t{x}, std::size_t{y}}) put(byte);
  }
  return out;
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out) {
  unsigned char* at = out;
  for (; positions.size() > kMaxPositionsPerPacket; positions = positions.subspan<kMaxPositionsPerPacket>()) {
    at = write_packet(positions.first(kMaxPositionsPerPacket), at);
  }
  if (!positions.empty()) at = write_packet(positions, at);
  return static_cast<std::size_t>(std::distance(out, at));
}

}  // namespace lab
