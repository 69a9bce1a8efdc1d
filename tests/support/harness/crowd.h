// Many threads at the same work, at the same time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "story.h"

namespace test {

// Runs `body(0)` to `body(count - 1)` on threads of their own, which begin at the same time, and waits for all of them.
// What one of them throws, it throws.
inline void on_threads(const std::string& what, unsigned count, const std::function<void(unsigned)>& body) {
  std::atomic<unsigned> ready{0};
  std::vector<std::unique_ptr<Background>> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.push_back(std::make_unique<Background>(what, [&, i] {
      ++ready;
      while (ready < count) std::this_thread::yield();
      body(i);
    }));
  }
  for (const auto& thread : threads) thread->finish();
}

// Long enough that threads meet inside of the code under test. What counts is the processor time of all threads together,
// so that a busy machine makes it longer, but no more than 50 times or 2 s, and not so long that the test runs out of time.
class Crowd {
 public:
  explicit Crowd(double seconds)
      : end_of_work_(std::clock() + static_cast<std::clock_t>(seconds * CLOCKS_PER_SEC)),
        end_(Clock::now() + std::min({after(50 * seconds), after(2), time_left() - patience()})) {}
  // True at least once: the work's checks are part of the test.
  bool goes_on() const { return first_.exchange(false, std::memory_order_relaxed) || (std::clock() < end_of_work_ && Clock::now() < end_); }

 private:
  static Clock::duration after(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  const std::clock_t end_of_work_;
  const Clock::time_point end_;
  mutable std::atomic<bool> first_{true};
};

}  // namespace test
