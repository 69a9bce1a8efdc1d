#include "port.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "socket.h"

namespace win32_linux {
namespace {

constexpr int kBatch = 64;             // events taken by one epoll_wait
constexpr unsigned kLookEvery = 64;    // number of packets after which epoll is polled although packets are left
// Time in nanoseconds for which a packet may be left to a running worker. Each time this was right, the next one is
// longer: a thread woken needlessly would run on another processor, and move the traffic there.
constexpr long kShortestGrace = 1'000'000;
constexpr long kLongestGrace = 16'000'000;

// epoll's user data for the port's own descriptors; handles are multiples of 4.
constexpr std::uint64_t kWakeup = 1;
constexpr std::uint64_t kTimer = 2;

using Clock = std::chrono::steady_clock;

// The state of this thread for a port. As on Windows, a thread belongs to the last port that it took a packet from.
struct Worker {
  std::uintptr_t port = 0;   // a handle: the port may have been deleted
  bool inside = false;       // in Port::wait now

  void leave() {
    if (port == 0) return;
    if (const Ref<Port> old = find_port(reinterpret_cast<HANDLE>(port))) old->forget_worker();
    port = 0;
  }
  ~Worker() { leave(); }
};
thread_local Worker worker;

}  // namespace

Port::Port(DWORD concurrency)
    : Object(Kind::kPort),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      concurrency_(concurrency ? concurrency : std::max(1u, std::thread::hardware_concurrency())),
      grace_(kShortestGrace) {
  if (!usable()) return;
  // Edge-triggered, so that each event wakes one waiter; neither is ever read.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeup;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event);
  event.data.u64 = kTimer;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
}

Port::~Port() {
  while (!packets_.empty()) Operation::recycle(packets_.pop());
  for (const int fd : {epoll_, wakeup_, timer_}) {
    if (fd >= 0) ::close(fd);
  }
}

bool Port::watch(int fd, SOCKET handle) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = handle;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Port::wake_one() { ::eventfd_write(wakeup_, 1); }

// Returns whether a sleeping thread must be woken for the packets. REQUIRES: mutex_ is held, packets_ is not empty.
//
// A packet is left to a running worker that will soon call again: waking another thread for it costs more than handling
// it. If the worker blocks instead (which is not visible here), the timer wakes a sleeping thread. Invariant: while
// there are packets and sleeping threads, the wakeup eventfd has been signalled, or the timer runs, or a thread inside
// wait() has not yet checked the queue.
bool Port::must_wake(bool a_worker_comes_back) {
  if (waiting_ == 0 || signalled_) return false;
  if (a_worker_comes_back || running_ >= concurrency_) {
    start_timer();
    return false;
  }
  signalled_ = true;
  return true;
}

void Port::start_timer() {
  if (timing_) return;
  timing_ = true;
  itimerspec once{};
  once.it_value.tv_nsec = grace_;
  ::timerfd_settime(timer_, 0, &once, nullptr);
}

void Port::push(Operation* operation) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      packets_.push(operation);
      operation = nullptr;
      const bool mine = worker.port == handle();
      // A polling thread checks the queue before it returns.
      wake = !(mine && worker.inside) && must_wake(mine);
    }
  }
  if (operation) Operation::recycle(operation);   // no thread can receive it any more
  if (wake) wake_one();
}

// Sleeps in epoll_wait, and does the I/O of the sockets that are ready. Returns whether the timer expired.
bool Port::poll(std::unique_lock<std::mutex>& lock, int milliseconds) {
  taken_ = 0;
  lock.unlock();
  epoll_event events[kBatch];
  const int n = ::epoll_wait(epoll_, events, kBatch, milliseconds);   // EINTR is treated like a timeout
  bool signalled = false;
  bool timed = false;
  for (int i = 0; i < n; ++i) {
    const std::uint64_t source = events[i].data.u64;
    if (source == kWakeup) {
      signalled = true;
    } else if (source == kTimer) {
      timed = true;
    } else if (const Ref<Socket> socket = find_socket(source)) {
      socket->on_ready(events[i].events);
    }
    // Otherwise it was closed meanwhile, together with its operations.
  }
  lock.lock();
  if (signalled) signalled_ = false;
  if (timed) {
    timing_ = false;
    grace_ = packets_.empty() ? std::min(2 * grace_, kLongestGrace) : kShortestGrace;
  }
  return timed;
}

DWORD Port::wait(OVERLAPPED_ENTRY* out, ULONG max, ULONG& removed, DWORD milliseconds) {
  removed = 0;
  if (worker.port != handle()) worker.leave();
  const bool forever = milliseconds == INFINITE;
  const auto deadline = Clock::now() + std::chrono::milliseconds(forever ? 0 : milliseconds);

  std::unique_lock lock(mutex_);
  if (worker.port == handle()) --running_;
  worker.port = handle();
  worker.inside = true;
  DWORD error = NO_ERROR;
  for (bool overdue = false, expired = false;;) {
    if (closed_) {
      error = ERROR_ABANDONED_WAIT_0;
      break;
    }
    // Busy connections must not prevent the others from being polled.
    if (!packets_.empty() && taken_ >= kLookEvery) overdue |= poll(lock, 0);
    // Above the concurrency value, packets are taken only if the running threads seem to be blocked.
    if (!packets_.empty() && (running_ < concurrency_ || overdue || expired)) break;
    if (expired) {
      error = WAIT_TIMEOUT;
      break;
    }
    int sleep = -1;
    if (!forever) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      sleep = static_cast<int>(std::clamp<long>(left, 0, 1 << 30));
    }
    if (!packets_.empty()) start_timer();
    ++waiting_;
    overdue = poll(lock, sleep);
    --waiting_;
    expired = !forever && Clock::now() >= deadline;
  }
  OperationQueue taken;
  for (ULONG i = 0; error == NO_ERROR && i < max && !packets_.empty(); ++i) taken.push(packets_.pop());
  taken_ += taken.empty() ? 0 : 1;
  worker.inside = false;
  if (taken.empty()) {
    worker.port = 0;
  } else {
    ++running_;
  }
  // The leaving thread wakes sleeping threads if packets are left or the port is closed.
  const bool wake = closed_ ? waiting_ > 0 : !packets_.empty() && must_wake(false);
  lock.unlock();
  if (wake) wake_one();

  for (; !taken.empty(); ++removed) {
    Operation* operation = taken.pop();
    out[removed] = {operation->key, operation->overlapped, static_cast<ULONG_PTR>(operation->status), operation->bytes};
    Operation::recycle(operation);
  }
  return error;
}

void Port::forget_worker() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    --running_;
    wake = !packets_.empty() && must_wake(false);
  }
  if (wake) wake_one();
}

void Port::close() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake = waiting_ > 0;
  }
  if (wake) wake_one();
}

}  // namespace win32_linux
