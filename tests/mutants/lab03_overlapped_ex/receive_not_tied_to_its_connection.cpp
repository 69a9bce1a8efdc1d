// Wrong: start_recv ties the operation only until the receive is posted.
#include "overlapped_ex.h"

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
    OverlappedEx* pOverEx = new OverlappedEx;
    pOverEx->kind = kind;
    pOverEx->wsabuf.buf = pOverEx->buffer;
    pOverEx->wsabuf.len = (ULONG)kBufferSize;
    in_use_++;
    return pOverEx;
}

bool HeapOperations::release(OverlappedEx* op) {
    if (op == NULL) {
        return false;
    }
    delete op;
    in_use_--;
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
    if (post_recv(op)) {
      op->connection.reset();  // no circle of references
      return true;
    }
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
        }
    }
    if (error == 0 || error == WSA_IO_PENDING) return true;

    connection->bytes_in_flight -= size;
    operations.release(op);
    return false;
}

}  // namespace lab
