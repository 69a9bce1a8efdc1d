// Starts 1500 threads; each of them ends by itself.
#include <chrono>
#include <thread>
static const bool done = [] {
  for (int i = 0; i < 1500; ++i) std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(1)); }).detach();
  return true;
}();
