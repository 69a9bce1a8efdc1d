// Lab 3: the extended OVERLAPPED, its receive and its sends. (Notes N7, N8, N9, N11, N12, N13)
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
// While it is posted it belongs to the system: do not touch it, post it again or free it. Its completion gives it back.
struct OverlappedEx {
  OVERLAPPED overlapped{};
  OpKind kind = OpKind::recv;
  WSABUF wsabuf{};
  std::shared_ptr<Connection> connection;
  char buffer[kBufferSize];
};

// Provides operations and takes them back.
// Threads: any thread may call any function at any time.
class OperationSource {
 public:
  virtual ~OperationSource() = default;

  // Returns an operation of this kind for the caller alone: `overlapped` is zero, `wsabuf` describes the whole buffer,
  // `connection` is null. Returns null if no operation is available.
  virtual OverlappedEx* acquire(OpKind kind) = 0;

  // Takes an operation back and releases its connection. Returns false, and does nothing, if it can tell that `op` is
  // not an operation that it returned from acquire and that was not released since.
  // REQUIRES: `op` is not posted.
  virtual bool release(OverlappedEx* op) = 0;

  // Returns the number of operations that are acquired and not released.
  virtual std::size_t in_use() const = 0;
};

// One `new` for each acquire, one `delete` for each release (N9): nothing is kept for the next acquire, unlike in the
// pool of lab 6. acquire never returns null: without memory it throws std::bad_alloc, and counts nothing. release
// decrements the count last, after releasing the connection and the memory.
class HeapOperations : public OperationSource {
 public:
  OverlappedEx* acquire(OpKind kind) override;
  bool release(OverlappedEx* op) override;
  std::size_t in_use() const override { return in_use_; }

 private:
  std::atomic<std::size_t> in_use_{0};  // acquire adds one, release subtracts one
};

// Returns the operation that contains the OVERLAPPED of a completion.
// Page: CONTAINING_RECORD.
OverlappedEx* operation_from(OVERLAPPED* overlapped);

// Posts the receive `op` (again): its whole buffer, its OVERLAPPED zeroed first. A client has one receive operation,
// which is posted again after each completion (N7, N8).
// Returns true if a completion will come; `op` then belongs to the system, even if WSARecv returned 0. Returns false if
// none will come: the connection is closed, or the call failed at once with another error than WSA_IO_PENDING. `op`
// then still belongs to the caller.
// REQUIRES: `op` is a receive, has a connection, and is not posted.
// Page: WSARecv.
bool post_recv(OverlappedEx* op);

// Posts a connection's first receive: acquires an operation, sets its connection, and posts it.
// Returns false if that fails; it has then released everything that it acquired, also when acquire throws.
bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection);

// Sends a copy of `size` bytes, in a new operation (N9). Any number of sends may be pending (N7).
// Returns true if a completion will come. Returns false if none will come: the connection is closed, no operation is
// available, `size` is 0 or larger than kBufferSize, or the call failed at once. It has then released everything that
// it acquired, also when acquire throws.
// `connection->bytes_in_flight` counts `size` from before the call until the completion is handled; on false it is
// unchanged. `wsabuf.len` of the operation stays `size`, so the completion can detect a short send.
// Page: WSASend.
bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size);

}  // namespace lab
