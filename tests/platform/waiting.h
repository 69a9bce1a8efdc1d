// Bounded waits. Nothing in the suite waits without an end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace net {

inline constexpr unsigned kWait = 5000;             // ms; for any one wait
// For a call in a Blocking that something else must end. Longer than join() waits for it: a call that is not ended but
// finds its result when its own time is up fails too.
inline constexpr unsigned kLongWait = 4 * kWait;

// Calls `step` until it returns true. False after kWait.
inline bool within_wait(const std::function<bool()>& step) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kWait);
  while (!step()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Runs a call that may block in a thread of its own. join() ends the program if the call does not return in time:
// a thread that hangs in a system call cannot be taken back.
class Blocking {
 public:
  template <class Call>
  explicit Blocking(Call call) : thread_([this, call = std::move(call)]() mutable {
    call();
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }) {}
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;
  ~Blocking() { join(); }

  void join() {
    if (!thread_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::milliseconds(2 * kWait), [this] { return done_; })) {
        std::fprintf(stderr, "FAILED: a blocked call should have returned, but it still waits after %u ms\n",
                     2 * kWait);
        std::_Exit(1);
      }
    }
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;   // last: it uses the others
};

}  // namespace net
