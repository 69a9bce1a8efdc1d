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
  const int lowest_free = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
  rlimit limit{};
  if (lowest_free < 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("the limit of open files could not be read");
  ::close(lowest_free);
  old_limit_ = limit.rlim_cur;
  limit.rlim_cur = static_cast<rlim_t>(lowest_free);
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
