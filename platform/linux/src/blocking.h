// A thread that waits inside a socket call: for its descriptor to be ready, or to be woken.
#pragma once

#include <mutex>

#include "winsock2.h"

namespace win32_linux {

// One per blocked call, on the caller's stack, linked into its socket's list.
//
// Linux does not wake a thread in accept() when another thread closes the descriptor. So a blocked call sleeps in
// poll(descriptor, bell): the bell is an eventfd of the thread, and whoever closes the socket, or finishes this
// thread's operation, rings it. No race: the call joins the list, and the closer sets `closed` and rings, under the
// same lock; the descriptor stays open because the call keeps a reference to the socket.
// Threads: guarded by the socket's mutex.
class BlockedCall {
 public:
  // REQUIRES: `lock` holds the mutex that guards `list`.
  BlockedCall(BlockedCall*& list, std::unique_lock<std::mutex>& lock);
  ~BlockedCall();
  BlockedCall(const BlockedCall&) = delete;
  BlockedCall& operator=(const BlockedCall&) = delete;

  // Releases the lock and sleeps until the descriptor is ready, the bell rings or the time is over; sometimes it
  // returns for nothing. Milliseconds: INFINITE is for ever.
  void sleep(int fd, short events, DWORD milliseconds);

  void wake();
  BlockedCall* next() const { return next_; }

 private:
  BlockedCall*& list_;
  std::unique_lock<std::mutex>& lock_;
  BlockedCall* next_;
  const int bell_;
  bool rung_ = false;
};

}  // namespace win32_linux
