// Wrong: every send passes the same static OVERLAPPED.
#include "overlapped_ex.h"

#include <cstring>

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
    static OVERLAPPED sendOverlapped;
    memset(&sendOverlapped, 0, sizeof(sendOverlapped));
    {
        const auto locked = connection->lock();
        if (!locked) {
            error = WSAENOTCONN;
        } else if (WSASend(locked.socket(), &op->wsabuf, 1, NULL, 0, &sendOverlapped, NULL) == SOCKET_ERROR) {
            error = WSAGetLastError();
        }
    }
    if (error == 0 || error == WSA_IO_PENDING) return true;

    connection->bytes_in_flight -= size;
    operations.release(op);
    return false;
}

}  // namespace lab
