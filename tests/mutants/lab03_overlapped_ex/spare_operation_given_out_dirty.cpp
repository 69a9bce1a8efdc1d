// Wrong: an operation that was used before is given out as it is.
#include "overlapped_ex.h"

#include <cstring>
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
  if (!op) {
    op.reset(new OverlappedEx);
    op->wsabuf = WSABUF{static_cast<ULONG>(kBufferSize), op->buffer};
  }
  op->kind = kind;
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
    DWORD dwFlags = 0;
    int result;
    int error;

    memset(&op->overlapped, 0, sizeof(op->overlapped));
    op->wsabuf.buf = op->buffer;
    op->wsabuf.len = (ULONG)kBufferSize;

    // my own reference, because op may be gone after WSARecv
    std::shared_ptr<Connection> connection = op->connection;
    Connection::Locked locked = connection->lock();
    if (!locked) {
        return false;
    }
    result = ::WSARecv(locked.socket(), &op->wsabuf, 1, NULL, &dwFlags, &op->overlapped, NULL);
    if (result == SOCKET_ERROR) {
        error = ::WSAGetLastError();
        if (error != WSA_IO_PENDING) {
            return false;
        }
    }
    return true;
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
    OverlappedEx* op = operations.acquire(OpKind::recv);
    if (op == NULL) {
        return false;
    }
    op->connection = connection;
    bool posted = post_recv(op);
    if (!posted) {
        operations.release(op);
    }
    return posted;
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
        }
    }
    if (error == 0 || error == WSA_IO_PENDING) return true;

    connection->bytes_in_flight -= size;
    operations.release(op);
    return false;
}

}  // namespace lab
