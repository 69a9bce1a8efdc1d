// A completion port: a queue of packets and an epoll descriptor that the waiting threads poll themselves.
//
//        WSARecv, WSASend                 GetQueuedCompletionStatus
//              |                                    |
//        Socket's queues  <--- epoll_wait --- queue empty?
//              |                                    ^
//              +------ done ----> packets ----------+
//
// Lifetime: the open handle, each associated socket and each call in progress keep a port alive. Closing the
// handle wakes the waiters; completions that come later are dropped.
// Threads: any. Lock order: a Socket's mutex, then a Port's.
#pragma once

#include <mutex>

#include "handle_table.h"
#include "operation.h"

namespace win32_linux {

class Port : public Object {
 public:
  explicit Port(DWORD concurrency);
  ~Port() override;

  // False when the system gave no descriptors.
  bool usable() const { return epoll_ >= 0 && bell_ >= 0 && timer_ >= 0; }

  // Queues a packet and sees to it that a thread comes for it. Takes the operation.
  void push(Operation* operation);

  // Waits for packets and moves up to `max` of them to `out`. Returns 0, WAIT_TIMEOUT or ERROR_ABANDONED_WAIT_0.
  DWORD wait(OVERLAPPED_ENTRY* out, ULONG max, ULONG& removed, DWORD milliseconds);

  // Reports the readiness of a descriptor to the socket with this handle, from now on. False: no memory.
  bool watch(int fd, SOCKET handle);

  void close();

  // A thread that took a packet from this port has ended, or waits at another port.
  void forget_worker();

 private:
  bool poll(std::unique_lock<std::mutex>& lock, int milliseconds);
  bool must_ring(bool a_worker_comes_back);
  void ring();
  void start_timer();

  const int epoll_;
  const int bell_;               // an eventfd in epoll_: each write wakes one waiter
  const int timer_;              // a timerfd in epoll_: wakes one waiter for packets that were left to a worker
  const DWORD concurrency_;

  std::mutex mutex_;             // guards what follows
  OperationQueue packets_;
  DWORD running_ = 0;            // threads that took a packet and have not come back
  unsigned waiting_ = 0;         // threads that sleep in epoll_wait, or are about to
  long grace_;                   // nanoseconds until the timer sends a sleeper
  unsigned taken_ = 0;           // packets since the last look at epoll
  bool rung_ = false;            // the bell was rung and nobody has heard it yet
  bool timing_ = false;          // the timer was started and nobody has heard it yet
  bool closed_ = false;
};

inline Ref<Port> find_port(HANDLE handle) {
  return Ref<Port>(acquire_slot(reinterpret_cast<std::uintptr_t>(handle), Kind::kPort));
}

}  // namespace win32_linux
