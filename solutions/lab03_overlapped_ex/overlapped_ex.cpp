#include "overlapped_ex.h"

#include <cstring>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto* op = new OverlappedEx;
  op->kind = kind;
  op->wsabuf = {static_cast<ULONG>(kBufferSize), op->buffer};
  ++in_use_;
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  delete op;
  --in_use_;  // last: a thread that waits for zero may end the program
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) {
  return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped);
}

// Both calls return 0 if the operation succeeded at once. Its completion packet is still queued, so that case is the
// same as a pending one.
static bool completion_will_come(int result) { return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING; }

bool post_recv(OverlappedEx* op) {
  op->overlapped = OVERLAPPED{};
  op->wsabuf = {static_cast<ULONG>(kBufferSize), op->buffer};
  const std::shared_ptr<Connection> connection = op->connection;  // `op` may be released before the lock is
  const auto locked = connection->lock();
  if (!locked) return false;
  DWORD flags = 0;
  return completion_will_come(
      ::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr));
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  OverlappedEx* op = operations.acquire(OpKind::recv);
  if (op == nullptr) return false;
  op->connection = connection;
  if (post_recv(op)) return true;
  operations.release(op);
  return false;
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size == 0 || size > kBufferSize) return false;
  OverlappedEx* op = operations.acquire(OpKind::send);
  if (op == nullptr) return false;
  op->connection = connection;
  op->wsabuf.len = static_cast<ULONG>(size);
  std::memcpy(op->buffer, data, size);

  connection->bytes_in_flight += size;
  bool posted = false;
  if (const auto locked = connection->lock()) {
    posted = completion_will_come(::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr));
  }
  if (!posted) {
    connection->bytes_in_flight -= size;
    operations.release(op);
  }
  return posted;
}

}  // namespace lab
