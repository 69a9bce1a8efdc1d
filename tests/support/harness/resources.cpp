#include "resources.h"

#include "story.h"
#include "win32.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <filesystem>
#include <iterator>
#endif

namespace test {

#ifdef _WIN32

std::size_t open_handles() {
  DWORD count = 0;
  return ::GetProcessHandleCount(::GetCurrentProcess(), &count) ? count : 0;
}

NoMoreHandles::NoMoreHandles() = default;
NoMoreHandles::~NoMoreHandles() = default;

#else

std::size_t open_handles() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1;  // one is the directory itself
}

NoMoreHandles::NoMoreHandles() {
  while (const int fd = ::open("/dev/null", O_RDWR)) {  // 0, 1 and 2 are in use from now on, and no other can be had
    if (fd < 0 || fd > 2) {
      ::close(fd);
      break;
    }
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("the limit of open files could not be read");
  old_limit_ = limit.rlim_cur;
  limit.rlim_cur = 3;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("the limit of open files could not be set");
}

NoMoreHandles::~NoMoreHandles() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = old_limit_;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

#endif

}  // namespace test
