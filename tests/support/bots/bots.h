// Bots: many players of the game of lab 5, who check everything that the server tells them. The engine of the program
// `bots`, and of tests.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace bots {

// A histogram of times, exact to 3%.
class Latencies {
 public:
  void add(std::uint64_t microseconds) {
    ++counts_[bucket(microseconds)];
    ++count_;
    max_ = std::max(max_, microseconds);
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The time below which this share (0 to 1) of all times lies, in microseconds.
  std::uint64_t percentile(double share) const {
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (left < counts_[i]) return std::min(floor_of(i + 1), max_);
      left -= counts_[i];
    }
    return max_;
  }

 private:
  // Times below 64 have a bucket each; above, each power of two has 32.
  static std::size_t bucket(std::uint64_t time) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(time)) - 6);
    return static_cast<std::size_t>(shift) * 32 + static_cast<std::size_t>(time >> shift);
  }
  static std::uint64_t floor_of(std::size_t bucket) {
    const std::size_t shift = bucket < 64 ? 0 : bucket / 32 - 1;
    return (bucket - shift * 32) << shift;
  }
  std::array<std::uint64_t, 32 * 60> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

enum class Outcome { ok, check_failed, no_connection };

// What has been done and measured so far.
struct Report {
  Outcome outcome = Outcome::ok;
  std::string failure;  // one line: which bot saw what
  double seconds = 0;   // how long the bots have played; the log-in of the first ones and the last checks do not count
  std::uint64_t logins = 0;
  std::uint64_t moves = 0;
  std::uint64_t positions = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  Latencies latency;  // from a move to one's own new position
};

struct Options {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 4000;
  unsigned bots = 100;
  double seconds = 10;       // how long to play, when `moves` is 0
  std::uint64_t moves = 0;   // how many moves each bot makes
  double rate = 0;           // moves per second and bot; 0: the next one when the last one is answered
  unsigned churn = 0;        // a bot logs out and in again after about so many moves; 0: never
  int view = 255;            // how far the server lets a player see
  std::uint64_t seed = 1;
  std::chrono::milliseconds patience{10000};  // how long the server may take for an answer
  const std::atomic<bool>* stop = nullptr;    // set it to end early, with what was measured until then
  std::function<void(const Report&)> on_second;  // called about once a second
};

// Lets the bots play, on the calling thread, until the time is up, the moves are made, or something is wrong. Each bot
// checks what it is told:
//   - packets have a known type and the right size;
//   - its log-in is answered first, and once, with an id that no other living bot has;
//   - an entered player is a bot that logged in, or a stranger; nobody enters twice or without having left;
//   - a position belongs to a player who has entered, lies on the way that this player went, and never goes back;
//   - each of its moves is answered by its own position;
//   - at the end, it knows exactly the players in its view, each at the place where that one stands.
// Some log-outs of `churn` are resets, some half-closes, some come in the middle of a packet.
Report run(const Options& options);

}  // namespace bots
