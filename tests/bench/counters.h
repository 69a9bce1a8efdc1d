// The counters of a measured server (measured.cpp), in memory shared with the benchmark.
#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

struct Counters {
  std::atomic<std::uint64_t> accepts{0};           // sockets that accept returned
  std::atomic<std::uint64_t> receives{0};          // WSARecv calls that posted a receive
  std::atomic<std::uint64_t> completion_calls{0};  // calls of GetQueuedCompletionStatus and GetQueuedCompletionStatusEx
  std::atomic<std::uint64_t> news{0};              // calls of operator new, on any thread
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr const char* kCountersVariable = "LAB_COUNTERS";  // contains the file name

}  // namespace bench
