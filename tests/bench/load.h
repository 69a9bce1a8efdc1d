// The load generator: clients that send 32 bytes, wait for the echo, and send again. One thread, one epoll.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

// Connected sockets, closed by the destructor.
class Connections {
 public:
  // Throws std::runtime_error if a connection fails.
  Connections(std::uint16_t port, std::size_t count);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  const std::vector<int>& sockets() const { return sockets_; }

 private:
  void close_all();
  std::vector<int> sockets_;
};

struct LoadResult {
  double round_trips_per_second = 0;
  double fairness = 0;  // round trips of the slowest client relative to the mean
};

// Optional callbacks for more detail.
struct LoadWatch {
  std::function<void()> on_warm;                                 // called at the start of the counted part
  std::function<void(std::chrono::nanoseconds)> on_round_trip;   // called for each round trip after that
  const std::atomic<bool>* stop = nullptr;                       // ends it early; the result is then invalid
};

// Throws std::runtime_error if an echo is wrong or a connection ends.
LoadResult run_load(std::uint16_t port, std::size_t connections, double seconds, const LoadWatch& watch = {});

}  // namespace bench
