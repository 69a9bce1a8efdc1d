// Waiting in tests: for a condition, never for luck, and never without a bound.
#pragma once

#include <chrono>
#include <thread>

namespace test {

using Clock = std::chrono::steady_clock;

// How much slower than a native build this one may be: 2.5 under a sanitizer and under Wine, else 1.
double slowness();

// How long a test waits for something that a right program does at once. A wait that runs out is a failure, so it is
// long: a busy machine must not fail a right program.
Clock::duration patience();

// Polls until `condition()` is true. False when it is not within `limit`.
template <class Condition>
bool eventually(Condition condition, Clock::duration limit = patience()) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace test
