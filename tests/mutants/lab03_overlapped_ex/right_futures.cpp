// Right: the heap is asked in a task of its own, and its result is a future; a post is a chain of small functions.
#include "overlapped_ex.h"

#include <algorithm>
#include <functional>
#include <future>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto made = std::async(std::launch::async, [kind] {
    auto op = std::make_unique<OverlappedEx>();
    op->kind = kind;
    op->wsabuf.buf = op->buffer;
    op->wsabuf.len = kBufferSize;
    return op;
  });
  OverlappedEx* const op = made.get().release();
  ++in_use_;
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op != nullptr) {
    delete op;
    --in_use_;
  }
  return op != nullptr;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) { return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped); }

namespace {

// Calls `call` with the open socket. Returns whether a completion will come.
template <class Call>
bool with_socket(Connection& connection, Call call) {
  const auto locked = connection.lock();
  return locked && (call(locked.socket()) == 0 || ::WSAGetLastError() == WSA_IO_PENDING);
}

// Posts an operation of this kind for the connection by `post`, or releases it.
bool post_new(OperationSource& operations, const std::shared_ptr<Connection>& connection, OpKind kind,
              const std::function<bool(OverlappedEx*)>& post) {
  OverlappedEx* const op = operations.acquire(kind);
  if (op == nullptr) return false;
  op->connection = connection;
  if (post(op)) return true;
  operations.release(op);
  return false;
}

}  // namespace

bool post_recv(OverlappedEx* op) {
  op->overlapped = OVERLAPPED{};
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = kBufferSize;
  const std::shared_ptr<Connection> connection = op->connection;
  return with_socket(*connection, [op](SOCKET socket) {
    DWORD flags = 0;
    return ::WSARecv(socket, &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr);
  });
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  return post_new(operations, connection, OpKind::recv, static_cast<bool (*)(OverlappedEx*)>(post_recv));
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size - 1 >= kBufferSize) return false;
  return post_new(operations, connection, OpKind::send, [&](OverlappedEx* op) {
    op->wsabuf.len = static_cast<ULONG>(size);
    std::copy(data, data + size, op->buffer);
    connection->bytes_in_flight += size;
    const bool posted = with_socket(*connection, [op](SOCKET socket) {
      return ::WSASend(socket, &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr);
    });
    if (!posted) connection->bytes_in_flight -= size;
    return posted;
  });
}

}  // namespace lab
