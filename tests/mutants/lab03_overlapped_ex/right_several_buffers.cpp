// Right: the calls get local arrays of two WSABUFs, and say how many bytes; the system copies the array, not the bytes.
#include "overlapped_ex.h"

#include <cstddef>
#include <cstring>

namespace lab {

enum Outcome { kDone, kPending, kFailed };

static Outcome outcome_of(int result) {
  if (result != SOCKET_ERROR) return kDone;
  return ::WSAGetLastError() == WSA_IO_PENDING ? kPending : kFailed;
}

// Cuts a buffer in two. The parts lie one behind the other, so the bytes are in order.
static DWORD cut(WSABUF (&parts)[2], char *buffer, ULONG size) {
  const ULONG half = size / 2;
  parts[0].buf = buffer;
  parts[0].len = size - half;
  parts[1].buf = buffer + parts[0].len;
  parts[1].len = half;
  return half == 0 ? 1 : 2;
}

OverlappedEx *HeapOperations::acquire(OpKind kind) {
  OverlappedEx *op = new OverlappedEx();
  op->kind = kind;
  op->wsabuf.buf = &op->buffer[0];
  op->wsabuf.len = (ULONG)sizeof(op->buffer);
  in_use_.fetch_add(1, std::memory_order_relaxed);
  return op;
}

bool HeapOperations::release(OverlappedEx *op) {
  if (op) {
    op->connection.reset();
    delete op;
    in_use_.fetch_sub(1, std::memory_order_release);
  }
  return op != nullptr;
}

OverlappedEx *operation_from(OVERLAPPED *overlapped) {
  char *inside = reinterpret_cast<char *>(overlapped);
  return reinterpret_cast<OverlappedEx *>(inside - offsetof(OverlappedEx, overlapped));
}

bool post_recv(OverlappedEx *op) {
  memset(&op->overlapped, 0, sizeof(op->overlapped));
  std::shared_ptr<Connection> mine(op->connection);
  Outcome outcome = kFailed;
  {
    Connection::Locked locked = mine->lock();
    if (locked) {
      WSABUF parts[2];
      DWORD count = cut(parts, op->buffer, (ULONG)kBufferSize);
      DWORD received = 0;  // only told when the receive is done at once
      DWORD flags = 0;
      outcome = outcome_of(::WSARecv(locked.socket(), parts, count, &received, &flags, &op->overlapped, NULL));
    }
  }
  return outcome != kFailed;
}

bool start_recv(OperationSource &operations, const std::shared_ptr<Connection> &connection) {
  OverlappedEx *op = operations.acquire(OpKind::recv);
  bool posted = false;
  if (op) {
    op->connection = connection;
    posted = post_recv(op);
    if (!posted) operations.release(op);
  }
  return posted;
}

bool post_send(OperationSource &operations, const std::shared_ptr<Connection> &connection, const char *data,
               std::size_t size) {
  if (size - 1 >= kBufferSize) return false;  // 0 becomes huge
  OverlappedEx *op = operations.acquire(OpKind::send);
  if (!op) return false;
  op->connection = connection;
  op->wsabuf.len = (ULONG)size;
  memset(op->buffer, 0, sizeof(op->buffer));
  memcpy(op->buffer, data, size);
  Outcome outcome = kFailed;
  {
    Connection::Locked locked = connection->lock();
    if (locked) {
      WSABUF parts[2];
      DWORD count = cut(parts, op->buffer, op->wsabuf.len);
      DWORD sent = 0;
      connection->bytes_in_flight.fetch_add(size, std::memory_order_relaxed);
      outcome = outcome_of(::WSASend(locked.socket(), parts, count, &sent, 0, &op->overlapped, NULL));
      if (outcome == kFailed) connection->bytes_in_flight.fetch_sub(size, std::memory_order_relaxed);
    }
  }
  if (outcome == kFailed) operations.release(op);
  return outcome != kFailed;
}

}  // namespace lab
