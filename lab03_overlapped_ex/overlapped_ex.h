// Lab 03: the extended OVERLAPPED, its receive and its sends. (Notes N7, N8, N9, N11, N12, N13)
//
// You write overlapped_ex.cpp. The functions below are its contract. A thread that one of them starts ends before it
// returns.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "connection.h"
#include "iocp_register.h"

namespace lab {

enum class OpKind : unsigned char { recv, send };

constexpr std::size_t kBufferSize = 4096;  // bytes in one operation's buffer

// One operation: what the system needs, and below it what we need (N13), in one allocation (N11).
//
//   OVERLAPPED*  ->  +-------------+
//                    | overlapped  |  the system's part: all that a completion gives back to us
//                    +-------------+
//                    | kind        |  recv or send: the system does not tell (N12)
//                    | wsabuf      |  where the bytes are, and how many
//                    | connection  |  keeps the client alive until this operation has been handled
//                    | buffer      |  kBufferSize bytes
//                    +-------------+
//
// While it is posted it belongs to the system: nobody touches it, nobody posts it again, nobody frees it. Its completion
// gives it back.
struct OverlappedEx {
  OVERLAPPED overlapped{};
  OpKind kind = OpKind::recv;
  WSABUF wsabuf{};
  std::shared_ptr<Connection> connection;
  char buffer[kBufferSize];
};

// Where operations come from and go back to.
// Threads: any thread may call any function at any time.
class OperationSource {
 public:
  virtual ~OperationSource() = default;

  // An operation of this kind for the caller alone: `overlapped` is zero, `wsabuf` covers the whole buffer,
  // `connection` is null. Returns null when there is none to give.
  virtual OverlappedEx* acquire(OpKind kind) = 0;

  // Takes an operation back and lets go of its connection. Returns false, and does nothing, when it can tell that `op`
  // is not one that it gave out and not got back.
  // REQUIRES: `op` is not posted.
  virtual bool release(OverlappedEx* op) = 0;

  // How many operations are out: acquired and not released.
  virtual std::size_t in_use() const = 0;
};

// One `new` for each acquire, one `delete` for each release (N9): nothing is kept for the next acquire, as the pool of
// lab 6 does. acquire never returns null: without memory it throws std::bad_alloc, and counts nothing. release counts down
// last, when the connection and the memory have been let go.
class HeapOperations : public OperationSource {
 public:
  OverlappedEx* acquire(OpKind kind) override;
  bool release(OverlappedEx* op) override;
  std::size_t in_use() const override { return in_use_; }

 private:
  std::atomic<std::size_t> in_use_{0};  // acquire adds one, release takes one away
};

// From what a completion gives back to the operation around it.
// Page: CONTAINING_RECORD.
OverlappedEx* operation_from(OVERLAPPED* overlapped);

// Posts the receive `op` (again): its whole buffer, its OVERLAPPED zeroed first. A client has one receive operation,
// which is posted again after each completion (N7, N8).
// Returns true when a completion will come; `op` then belongs to the system, also when WSARecv returned 0. Returns false
// when none will come: the connection is closed, or the call failed at once with another error than WSA_IO_PENDING. `op`
// is then still the caller's.
// REQUIRES: `op` is a receive, has a connection, and is not posted.
// Page: WSARecv.
bool post_recv(OverlappedEx* op);

// A connection's first receive: acquires an operation, ties it to the connection, posts it.
// Returns false when that fails; nothing is left behind then, nor when acquire throws.
bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection);

// Sends a copy of `size` bytes, in an operation of its own (N9). Any number of sends may be pending (N7).
// Returns true when a completion will come. Returns false when none will come: the connection is closed, there is no
// operation to be had, `size` is 0 or larger than kBufferSize, or the call failed at once. Nothing is left behind then,
// nor when acquire throws.
// `connection->bytes_in_flight` counts `size` from before the call until the completion is handled; on false it is
// unchanged. `wsabuf.len` of the operation stays `size`, so the completion can tell a short send.
// Page: WSASend.
bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size);

}  // namespace lab
