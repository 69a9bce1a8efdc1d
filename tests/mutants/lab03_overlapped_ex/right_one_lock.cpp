// Right: post_send looks whether the connection is open, prepares, counts and posts under one lock.
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

    {
        const auto locked = connection->lock();
        if (locked) {
            for (i = 0; i < size; i++) op->buffer[i] = data[i];
            op->wsabuf.buf = op->buffer;
            op->wsabuf.len = (ULONG)size;
            op->connection = connection;
            connection->bytes_in_flight += size;
            if (WSASend(locked.socket(), &op->wsabuf, 1, NULL, 0, &op->overlapped, NULL) == SOCKET_ERROR) {
                error = WSAGetLastError();
            }
            if (error == 0 || error == WSA_IO_PENDING) return true;
            connection->bytes_in_flight -= size;
        }
    }
    operations.release(op);
    return false;
}

}  // namespace lab
