// What a process has open, and how to let it run out of it.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1  // comes with UBSan in this project
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif

namespace test {

// How many handles (Linux: file descriptors) this process has open. 0: the platform does not tell.
std::size_t open_handles();

// As long as this object lives, the system gives this process no new file descriptor: accept fails with WSAEMFILE, and
// so does whatever else needs one. Where that cannot be arranged, `works` is false, and nothing changes: on Windows and
// Wine, and under UBSan, which opens a pipe to look at an object.
class NoMoreHandles {
 public:
  NoMoreHandles();
  ~NoMoreHandles();
  NoMoreHandles(const NoMoreHandles&) = delete;
  NoMoreHandles& operator=(const NoMoreHandles&) = delete;
#if defined(_WIN32) || defined(TEST_ASAN)
  static constexpr bool works = false;
#else
  static constexpr bool works = true;
#endif

 private:
  unsigned long long old_limit_ = 0;
};

}  // namespace test
