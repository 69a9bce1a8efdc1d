// Wrong: post_recv returns true whatever WSARecv says, so the operation waits for ever.
#include "overlapped_ex.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
    void* memory = malloc(sizeof(OverlappedEx));
    OverlappedEx* op;
    if (!memory) throw std::bad_alloc();
    op = new (memory) OverlappedEx; /* the constructor: there is a shared_ptr inside */
    op->kind = kind;
    op->wsabuf.len = sizeof(op->buffer);
    op->wsabuf.buf = op->buffer;
    in_use_.fetch_add(1);
    return op;
}

bool HeapOperations::release(OverlappedEx* op) {
    if (!op) return false;
    op->~OverlappedEx();
    free(op);
    in_use_.fetch_sub(1);
    return true;
}

// `overlapped` is the first member, so both have the same address.
OverlappedEx* operation_from(OVERLAPPED* overlapped) { return reinterpret_cast<OverlappedEx*>(overlapped); }

bool post_recv(OverlappedEx* op) {
  const auto connection = op->connection;  // outlives the lock, even when `op` does not
  const auto locked = connection->lock();
  if (!locked) return false;
  op->overlapped = {};
  op->wsabuf = {sizeof op->buffer, op->buffer};
  DWORD flags = 0;
  ::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr);
  return true;  // the completion tells how it went
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
