// Hangs before main.
#include <chrono>
#include <thread>
static const bool done = [] {
  std::this_thread::sleep_for(std::chrono::hours(1));
  return true;
}();
