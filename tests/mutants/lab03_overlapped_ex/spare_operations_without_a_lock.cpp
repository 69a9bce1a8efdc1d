// Wrong: operations that came back are kept in a vector that no lock protects.
#include "overlapped_ex.h"

#include <cstring>
#include <memory>
#include <vector>

namespace lab {

namespace {

// Operations that came back, for the next who asks.
struct Spare {
  std::vector<std::unique_ptr<OverlappedEx>> operations;

  std::unique_ptr<OverlappedEx> take() {
    if (operations.empty()) return nullptr;
    auto op = std::move(operations.back());
    operations.pop_back();
    return op;
  }
  void keep(std::unique_ptr<OverlappedEx> op) {
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
    if (size == 0) {
        return false;
    }
    if (size > kBufferSize) {
        return false;
    }

    OverlappedEx* pSend = operations.acquire(OpKind::send);
    if (pSend == NULL) {
        return false;
    }
    pSend->connection = connection;
    memcpy(pSend->buffer, data, size);
    pSend->wsabuf.len = (ULONG)size;

    // count first: the completion may come at once
    connection->bytes_in_flight += size;

    bool success = false;
    {
        Connection::Locked locked = connection->lock();
        if (locked) {
            int result = ::WSASend(locked.socket(), &pSend->wsabuf, 1, NULL, 0, &pSend->overlapped, NULL);
            if (result == 0) {
                success = true;
            } else if (::WSAGetLastError() == WSA_IO_PENDING) {
                success = true;
            }
        }
    }

    if (!success) {
        connection->bytes_in_flight -= size;
        operations.release(pSend);
    }
    return success;
}

}  // namespace lab
