#include "blocking.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace win32_linux {
namespace {

// A thread that got no bell, for want of descriptors, looks up this often.
constexpr DWORD kWithoutBell = 10;

// The thread's eventfd. Made when it first blocks.
struct Bell {
  int fd = -1;
  int get() {
    if (fd < 0) fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd;
  }
  ~Bell() {
    if (fd >= 0) ::close(fd);
  }
};
thread_local Bell bell;

}  // namespace

BlockedCall::BlockedCall(BlockedCall*& list, std::unique_lock<std::mutex>& lock)
    : list_(list), lock_(lock), next_(list), bell_(bell.get()) {
  list_ = this;
}

BlockedCall::~BlockedCall() {
  BlockedCall** at = &list_;
  while (*at != this) at = &(*at)->next_;
  *at = next_;
}

void BlockedCall::wake() {
  rung_ = true;
  if (bell_ >= 0) ::eventfd_write(bell_, 1);
}

void BlockedCall::sleep(int fd, short events, DWORD milliseconds) {
  if (bell_ < 0) milliseconds = std::min(milliseconds, kWithoutBell);
  if (!rung_) {
    lock_.unlock();
    pollfd waits[] = {{fd, events, 0}, {bell_, POLLIN, 0}};   // poll() skips a negative descriptor
    ::poll(waits, 2, milliseconds == INFINITE ? -1 : static_cast<int>(milliseconds & 0x7FFFFFFF));
    lock_.lock();
  }
  if (rung_) {
    // Silent again for the thread's next call.
    eventfd_t count;
    ::eventfd_read(bell_, &count);
    rung_ = false;
  }
}

}  // namespace win32_linux
