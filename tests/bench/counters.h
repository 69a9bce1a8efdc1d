// What a measured server counts while it runs (measured.cpp), in memory that it shares with the bench.
#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

struct Counters {
  std::atomic<std::uint64_t> accepts{0};           // sockets that accept gave
  std::atomic<std::uint64_t> receives{0};          // WSARecv calls that posted one
  std::atomic<std::uint64_t> completion_calls{0};  // of GetQueuedCompletionStatus and its Ex
  std::atomic<std::uint64_t> news{0};              // calls of operator new, on any thread
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr const char* kCountersVariable = "LAB_COUNTERS";  // names the file

}  // namespace bench
