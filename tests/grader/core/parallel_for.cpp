#include "parallel_for.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "child.h"

namespace grader {

void parallel_for(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const std::size_t threads = std::min<std::size_t>(count, std::max(1u, jobs));
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (std::size_t one = next++; one < count && !interrupted(); one = next++) work(one);
    });
  }
}

}  // namespace grader
