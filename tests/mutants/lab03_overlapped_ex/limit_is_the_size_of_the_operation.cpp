// Wrong: size is compared with sizeof(OverlappedEx), which is larger than the buffer.
#include "overlapped_ex.h"

#include <cstdlib>
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

    if (size == 0 || size > sizeof(*op)) return false;
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
