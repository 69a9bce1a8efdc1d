#include "blocking.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace win32_linux {
namespace {

// Poll interval of a thread that has no wakeup eventfd because descriptors ran out.
constexpr DWORD kWithoutWakeup = 10;

// The thread's wakeup eventfd. Created when it first blocks.
struct Wakeup {
  int fd = -1;
  int get() {
    if (fd < 0) fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd;
  }
  ~Wakeup() {
    if (fd >= 0) ::close(fd);
  }
};
thread_local Wakeup wakeup;

}  // namespace

BlockedCall::BlockedCall(BlockedCall*& list, std::unique_lock<std::mutex>& lock)
    : list_(list), lock_(lock), next_(list), wakeup_(wakeup.get()) {
  list_ = this;
}

BlockedCall::~BlockedCall() {
  BlockedCall** at = &list_;
  while (*at != this) at = &(*at)->next_;
  *at = next_;
}

void BlockedCall::wake() {
  signalled_ = true;
  if (wakeup_ >= 0) ::eventfd_write(wakeup_, 1);
}

void BlockedCall::sleep(int fd, short events, DWORD milliseconds) {
  if (wakeup_ < 0) milliseconds = std::min(milliseconds, kWithoutWakeup);
  if (!signalled_) {
    lock_.unlock();
    pollfd waits[] = {{fd, events, 0}, {wakeup_, POLLIN, 0}};   // poll() skips a negative descriptor
    ::poll(waits, 2, milliseconds == INFINITE ? -1 : static_cast<int>(milliseconds & 0x7FFFFFFF));
    lock_.lock();
  }
  if (signalled_) {
    // Reset it for the thread's next call.
    eventfd_t count;
    ::eventfd_read(wakeup_, &count);
    signalled_ = false;
  }
}

}  // namespace win32_linux
