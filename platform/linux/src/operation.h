// One call that has begun and has not been reported yet: first a pending receive or send, then a packet in a port.
#pragma once

#include <cstdlib>

#include "errors.h"
#include "winsock2.h"

namespace win32_linux {

class BlockedCall;

// Lifetime: created by the call, owned by the queue that contains it (a socket's, then its port's), recycled when it is
// dequeued. It copies the WSABUFs, as Windows does; the bytes that they point to stay the caller's.
// Threads: guarded by the lock of its owner.
struct Operation {
  static constexpr DWORD kInlineBuffers = 4;

  Operation* next = nullptr;
  OVERLAPPED* overlapped = nullptr;
  BlockedCall* caller = nullptr;   // set for a call without OVERLAPPED: this thread waits for it
  ULONG_PTR key = 0;
  DWORD bytes = 0;                 // transferred
  int error = 0;                   // how it failed, as a WSA error
  Status status = Status::kPending;
  bool done = false;               // only for a waiting caller
  bool peek = false;               // MSG_PEEK
  DWORD first = 0;                 // buffers[first..count) are still to be filled or sent
  DWORD count = 0;
  WSABUF* buffers = few;
  WSABUF few[kInlineBuffers];

  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { drop_buffers(); }

  void set_buffers(const WSABUF* from, DWORD n);
  // Marks `n` bytes as sent. Returns true if nothing is left.
  bool advance(std::size_t n);
  void drop_buffers();

  // The system's memory is not part of the program: a program that replaces the global `new` to count allocations does
  // not count these.
  static void* operator new(std::size_t size);
  static void operator delete(void* memory) { std::free(memory); }

  // Takes one from a pool. A thread keeps a few and shares the rest, so a server allocates nothing once it is warm.
  static Operation* make();
  static void recycle(Operation* operation);
};

// A queue of operations, linked through themselves.
class OperationQueue {
 public:
  bool empty() const { return !head_; }
  Operation* front() const { return head_; }

  void push(Operation* operation) {
    operation->next = nullptr;
    *tail_ = operation;
    tail_ = &operation->next;
  }

  Operation* pop() {
    Operation* operation = head_;
    head_ = operation->next;
    if (!head_) tail_ = &head_;
    return operation;
  }

  // Moves the operations that match to the end of `to`.
  template <class Match>
  void move_if(Match match, OperationQueue& to) {
    Operation** at = &head_;
    while (Operation* operation = *at) {
      if (match(*operation)) {
        *at = operation->next;
        to.push(operation);
      } else {
        at = &operation->next;
      }
    }
    tail_ = at;
  }

  OperationQueue() = default;
  OperationQueue(const OperationQueue&) = delete;
  OperationQueue& operator=(const OperationQueue&) = delete;

 private:
  Operation* head_ = nullptr;
  Operation** tail_ = &head_;
};

}  // namespace win32_linux
