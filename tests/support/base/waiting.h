// Waiting in tests: for a condition, never for luck, and never without a bound.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace test {

using Clock = std::chrono::steady_clock;

// How much slower than a native build this one may be: 2.5 under a sanitizer and under Wine, else 1.
double slowness();

// How long a test waits for something that a right program does at once. A wait that runs out is a failure, so it is
// long: a busy machine must not fail a right program.
Clock::duration patience();
std::string patience_text();  // "5 s"

// Whether the last wait of this thread ran out. A failure then has the cause of a hang.
bool& last_wait_timed_out();

// Polls until `condition()` is true. False when it is not within `limit`.
template <class Condition>
bool eventually(Condition condition, Clock::duration limit = patience()) {
  const auto deadline = Clock::now() + limit;
  last_wait_timed_out() = false;
  while (!condition()) {
    if (Clock::now() > deadline) return last_wait_timed_out() = true, false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Calls `body` in a thread of its own. False: it has not ended within `limit`, and is left alone with what it keeps.
template <class Body>
bool ends_within(Clock::duration limit, Body body) {
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  std::thread thread([body = std::move(body), ended]() mutable {
    body();
    *ended = true;
  });
  if (!eventually([&] { return ended->load(); }, limit)) {
    thread.detach();
    return false;
  }
  thread.join();
  return true;
}

}  // namespace test
