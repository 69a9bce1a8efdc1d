// Wrong: post_send closes the connection while it holds its lock, and waits for itself.
#include "overlapped_ex.h"

#include <memory>
#include <mutex>
#include <vector>

namespace lab {

namespace {

// Operations that came back, for the next who asks.
struct Spare {
  std::mutex mutex;
  std::vector<std::unique_ptr<OverlappedEx>> operations;

  std::unique_ptr<OverlappedEx> take() {
    std::lock_guard lock(mutex);
    if (operations.empty()) return nullptr;
    auto op = std::move(operations.back());
    operations.pop_back();
    return op;
  }
  void keep(std::unique_ptr<OverlappedEx> op) {
    std::lock_guard lock(mutex);
    if (operations.size() < 256) operations.push_back(std::move(op));
  }
};

Spare& spare() {
  static Spare all;
  return all;
}

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = spare().take();
  if (!op) op.reset(new OverlappedEx);
  op->overlapped = OVERLAPPED{};
  op->kind = kind;
  op->wsabuf = WSABUF{static_cast<ULONG>(kBufferSize), op->buffer};
  ++in_use_;
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  op->connection.reset();
  spare().keep(std::unique_ptr<OverlappedEx>(op));
  --in_use_;
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) {
  char* at = reinterpret_cast<char*>(overlapped);
  return reinterpret_cast<OverlappedEx*>(at - offsetof(OverlappedEx, overlapped));
}

bool post_recv(OverlappedEx* op) {
  const auto connection = op->connection;  // outlives the lock, even when `op` does not
  const auto locked = connection->lock();
  if (!locked) return false;
  op->overlapped = {};
  op->wsabuf = {sizeof op->buffer, op->buffer};
  DWORD flags = 0;
  if (::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr) == 0) return true;
  return ::WSAGetLastError() == WSA_IO_PENDING;
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
    OverlappedEx* op = NULL;
    int error = 0;
    size_t i;

    if (size == 0 || size > sizeof(op->buffer)) return false;
    op = operations.acquire(OpKind::send);
    if (op == NULL) return false;

    for (i = 0; i < size; i++) op->buffer[i] = data[i];
    op->wsabuf.buf = op->buffer;
    op->wsabuf.len = (ULONG)size;
    op->connection = connection;
    connection->bytes_in_flight += size;
    {
        const auto locked = connection->lock();
        if (!locked) {
            error = WSAENOTCONN;
        } else if (WSASend(locked.socket(), &op->wsabuf, 1, NULL, 0, &op->overlapped, NULL) == SOCKET_ERROR) {
            error = WSAGetLastError();
            if (error != WSA_IO_PENDING) connection->close();
        }
    }
    if (error == 0 || error == WSA_IO_PENDING) return true;

    connection->bytes_in_flight -= size;
    operations.release(op);
    return false;
}

}  // namespace lab
