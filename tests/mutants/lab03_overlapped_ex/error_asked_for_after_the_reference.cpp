// Wrong: WSAGetLastError comes after the last reference, whose end closes the socket and writes its own.
#include "overlapped_ex.h"

#include <algorithm>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = std::make_unique<OverlappedEx>();
  op->kind = kind;
  op->wsabuf = {static_cast<ULONG>(kBufferSize), op->buffer};
  in_use_.fetch_add(1);
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  if (!op) return false;
  delete op;
  in_use_.fetch_sub(1);
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) { return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped); }

// Whether a packet will come.
static bool posted(int result) { return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING; }

bool post_recv(OverlappedEx* op) {
  op->overlapped = {};
  op->wsabuf = {static_cast<ULONG>(kBufferSize), op->buffer};
  int result = SOCKET_ERROR;
  {
    const auto connection = op->connection;
    const auto locked = connection->lock();
    if (!locked) return false;
    DWORD flags = 0;
    result = ::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr);
  }
  return posted(result);
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  OverlappedEx* op = operations.acquire(OpKind::recv);
  if (!op) return false;
  op->connection = connection;
  if (post_recv(op)) return true;
  operations.release(op);
  return false;
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size == 0 || size > kBufferSize) return false;
  OverlappedEx* op = operations.acquire(OpKind::send);
  if (!op) return false;
  op->connection = connection;
  op->wsabuf.len = static_cast<ULONG>(size);
  std::copy(data, data + size, op->buffer);
  connection->bytes_in_flight += size;
  const auto post = [&] {
    const auto locked = connection->lock();
    return locked && posted(::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr));
  };
  if (post()) return true;
  connection->bytes_in_flight -= size;
  operations.release(op);
  return false;
}

}  // namespace lab
