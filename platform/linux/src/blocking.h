// A thread that waits inside a socket call: until its descriptor is ready, or until it is woken.
#pragma once

#include <mutex>

#include "winsock2.h"

namespace win32_linux {

// One per blocked call, on the caller's stack, linked into its socket's list.
//
// Linux does not wake a thread in accept() when another thread closes the descriptor. So a blocked call sleeps in
// poll() on the descriptor and on an eventfd of its thread. The thread that closes the socket, or finishes the call's
// operation, writes to that eventfd. There is no race: the call joins the list, and the closing thread sets `closed`
// and writes, under the same lock. The descriptor stays open because the call keeps a reference to the socket.
// Threads: guarded by the socket's mutex.
class BlockedCall {
 public:
  // REQUIRES: `lock` holds the mutex that guards `list`.
  BlockedCall(BlockedCall*& list, std::unique_lock<std::mutex>& lock);
  ~BlockedCall();
  BlockedCall(const BlockedCall&) = delete;
  BlockedCall& operator=(const BlockedCall&) = delete;

  // Releases the lock and sleeps until the descriptor is ready, the call is woken or the time is over. May wake
  // spuriously. Milliseconds; INFINITE means no limit.
  void sleep(int fd, short events, DWORD milliseconds);

  void wake();
  BlockedCall* next() const { return next_; }

 private:
  BlockedCall*& list_;
  std::unique_lock<std::mutex>& lock_;
  BlockedCall* next_;
  const int wakeup_;
  bool signalled_ = false;
};

}  // namespace win32_linux
