// Wrong: bytes_in_flight is not touched.
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

// What WSARecv and WSASend have in common: 0 and "pending" both bring a packet.
static bool packet_comes(int result) {
  switch (result == 0 ? 0 : ::WSAGetLastError()) {
    case 0:
    case WSA_IO_PENDING:
      return true;
    default:
      return false;
  }
}

bool post_recv(OverlappedEx* op) {
  ZeroMemory(&op->overlapped, sizeof(OVERLAPPED));
  std::shared_ptr<Connection> keep(op->connection);
  if (auto locked = keep->lock()) {
    WSABUF whole{static_cast<ULONG>(kBufferSize), op->buffer};
    DWORD flags = 0;
    return packet_comes(::WSARecv(locked.socket(), &whole, 1, nullptr, &flags, &op->overlapped, nullptr));
  }
  return false;
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
    {
        const auto locked = connection->lock();
        if (!locked) {
            error = WSAENOTCONN;
        } else if (WSASend(locked.socket(), &op->wsabuf, 1, NULL, 0, &op->overlapped, NULL) == SOCKET_ERROR) {
            error = WSAGetLastError();
        }
    }
    if (error == 0 || error == WSA_IO_PENDING) return true;

    operations.release(op);
    return false;
}

}  // namespace lab
