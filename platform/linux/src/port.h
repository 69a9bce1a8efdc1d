// A completion port: a queue of packets and an epoll descriptor that the waiting threads poll themselves.
//
//        WSARecv, WSASend                 GetQueuedCompletionStatus
//              |                                    |
//        Socket's queues  <--- epoll_wait --- queue empty?
//              |                                    ^
//              +------ done ----> packets ----------+
//
// Lifetime: the open handle, each associated socket and each call in progress keep a port alive. Closing the handle
// wakes the waiters; later completions are dropped.
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

  // Returns false if the system has no descriptors left.
  bool usable() const { return epoll_ >= 0 && wakeup_ >= 0 && timer_ >= 0; }

  // Queues a packet and ensures that a thread handles it. Takes the operation.
  void push(Operation* operation);

  // Waits for packets and moves up to `max` of them to `out`. Returns 0, WAIT_TIMEOUT or ERROR_ABANDONED_WAIT_0.
  DWORD wait(OVERLAPPED_ENTRY* out, ULONG max, ULONG& removed, DWORD milliseconds);

  // Reports the readiness of a descriptor to the socket with this handle from now on. Returns false if memory is
  // exhausted.
  bool watch(int fd, SOCKET handle);

  void close();

  // Called when a thread that took a packet from this port has ended, or waits at another port.
  void forget_worker();

 private:
  bool poll(std::unique_lock<std::mutex>& lock, int milliseconds);
  bool must_wake(bool a_worker_comes_back);
  void wake_one();
  void start_timer();

  const int epoll_;
  const int wakeup_;               // an eventfd in epoll_: each write wakes one waiter
  const int timer_;              // a timerfd in epoll_: wakes one waiter for packets that were left to a worker
  const DWORD concurrency_;

  std::mutex mutex_;             // guards the members below
  OperationQueue packets_;
  DWORD running_ = 0;            // threads that took a packet and have not called again
  unsigned waiting_ = 0;         // threads that sleep in epoll_wait, or are about to
  long grace_;                   // nanoseconds until the timer wakes a sleeping thread
  unsigned taken_ = 0;           // packets since the last epoll_wait
  bool signalled_ = false;            // the wakeup eventfd was signalled and no thread has seen it yet
  bool timing_ = false;          // the timer was started and no thread has seen it yet
  bool closed_ = false;
};

inline Ref<Port> find_port(HANDLE handle) {
  return Ref<Port>(acquire_slot(reinterpret_cast<std::uintptr_t>(handle), Kind::kPort));
}

}  // namespace win32_linux
