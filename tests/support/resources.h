// What a process has open, and how to let it run out of it.
#pragma once

#include <cstddef>

namespace test {

// How many handles (Linux: file descriptors) this process has open. 0: the platform does not tell.
std::size_t open_handles();

// As long as this object lives, the system gives this process no new file descriptor: accept fails with WSAEMFILE, and
// so does whatever else needs one. On Windows and Wine that cannot be arranged: `works` is false, and nothing changes.
class NoMoreHandles {
 public:
  NoMoreHandles();
  ~NoMoreHandles();
  NoMoreHandles(const NoMoreHandles&) = delete;
  NoMoreHandles& operator=(const NoMoreHandles&) = delete;
#ifdef _WIN32
  static constexpr bool works = false;
#else
  static constexpr bool works = true;
#endif

 private:
  unsigned long long old_limit_ = 0;
};

}  // namespace test
