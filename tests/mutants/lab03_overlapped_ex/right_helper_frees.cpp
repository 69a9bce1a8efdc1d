// Right: memory is taken by the caller and freed by a helper thread; release waits at a latch until it is free.
#include "overlapped_ex.h"

#include <cstring>
#include <latch>
#include <thread>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = std::make_unique<OverlappedEx>();
  op->kind = kind;
  op->wsabuf = WSABUF{kBufferSize, op->buffer};
  in_use_.fetch_add(1);
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  if (!op) return false;
  op->connection = nullptr;
  std::latch freed(1);
  const std::jthread helper([&] {
    delete op;
    freed.count_down();
  });
  freed.wait();
  in_use_.fetch_sub(1);
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) {
  return reinterpret_cast<OverlappedEx*>(reinterpret_cast<char*>(overlapped) - offsetof(OverlappedEx, overlapped));
}

bool post_recv(OverlappedEx* op) {
  const auto connection = op->connection;
  op->overlapped = {};
  op->wsabuf = WSABUF{kBufferSize, op->buffer};
  const auto locked = connection->lock();
  if (!locked) return false;
  DWORD flags = 0;
  const int result = ::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr);
  return result != SOCKET_ERROR || ::WSAGetLastError() == WSA_IO_PENDING;
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  if (OverlappedEx* op = operations.acquire(OpKind::recv)) {
    op->connection = connection;
    if (post_recv(op)) return true;
    operations.release(op);
  }
  return false;
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size == 0 || size > kBufferSize) return false;
  OverlappedEx* op = operations.acquire(OpKind::send);
  if (!op) return false;
  op->connection = connection;
  op->wsabuf.len = static_cast<ULONG>(size);
  std::memcpy(op->buffer, data, size);
  connection->bytes_in_flight += size;
  int error = WSAENOTCONN;
  if (const auto locked = connection->lock()) {
    const int result = ::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr);
    error = result == 0 ? 0 : ::WSAGetLastError();
  }
  if (error == 0 || error == WSA_IO_PENDING) return true;
  connection->bytes_in_flight -= size;
  operations.release(op);
  return false;
}

}  // namespace lab
