// Right: a map owns every operation that is out, so a second release is found out.
#include "overlapped_ex.h"

#include <memory>
#include <mutex>
#include <unordered_map>

namespace lab {

namespace {
// Every operation that is out. So a pointer that is none of them is found out.
std::mutex out_mutex;
std::unordered_map<OverlappedEx*, std::unique_ptr<OverlappedEx>> out;
}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  std::unique_ptr<OverlappedEx> owner(new OverlappedEx);
  OverlappedEx& op = *owner;
  op.kind = kind;
  op.wsabuf = {static_cast<ULONG>(sizeof op.buffer), op.buffer};
  std::scoped_lock lock(out_mutex);
  out.emplace(&op, std::move(owner));
  in_use_ += 1;
  return &op;
}

bool HeapOperations::release(OverlappedEx* op) {
  std::unique_lock lock(out_mutex);
  auto node = out.extract(op);
  lock.unlock();
  if (node.empty()) return false;
  node.mapped().reset();
  in_use_ -= 1;
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
