// Wrong: when post_recv fails it empties the operation, which is still its caller's.
#include "overlapped_ex.h"

#include <algorithm>
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
    return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped);
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
        op->connection.reset();
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
  if (size < 1 || size > kBufferSize) return false;
  const auto give_back = [&operations](OverlappedEx* op) { operations.release(op); };
  std::unique_ptr<OverlappedEx, decltype(give_back)> op(operations.acquire(OpKind::send), give_back);
  if (!op) return false;
  op->connection = connection;
  std::copy_n(data, size, op->buffer);
  op->wsabuf.len = static_cast<ULONG>(size);

  connection->bytes_in_flight.fetch_add(size);
  const auto locked = connection->lock();
  if (locked && (::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr) == 0 ||
                 ::WSAGetLastError() == WSA_IO_PENDING)) {
    static_cast<void>(op.release());  // it is the system's now
    return true;
  }
  connection->bytes_in_flight.fetch_sub(size);
  return false;
}

}  // namespace lab
