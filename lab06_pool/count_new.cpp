#include "count_new.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::uint64_t> news{0};
thread_local bool counting = false;

}  // namespace

// The replaced global operator new. All forms of `new` except the aligned ones call it; the labs do not use those.
void* operator new(std::size_t size) {
  if (counting) news.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace lab {

void count_new_of_this_thread() { counting = true; }
std::uint64_t counted_news() { return news; }

}  // namespace lab
