// Given: the wait for the last completion.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>

namespace lab {

// Waits until `left()` is 0. Close the connections first, and keep a thread that takes completions out of the port.
// Throws if it takes longer than `limit`: then a completion or a release was missed.
template <class Left>
void wait_for_drain(Left left, const char* what, std::chrono::seconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (const std::size_t count = left()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(std::to_string(count) + " " + what + " never came back");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace lab
