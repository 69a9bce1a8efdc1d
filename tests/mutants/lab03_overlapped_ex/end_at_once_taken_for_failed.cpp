// Wrong: a receive that is done at once with 0 bytes is taken for a failure; its packet comes all the same.
#include "overlapped_ex.h"

#include <cstring>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
    OverlappedEx* pOp = new OverlappedEx;
    pOp->kind = kind;
    pOp->wsabuf.buf = pOp->buffer;
    pOp->wsabuf.len = (ULONG)kBufferSize;
    in_use_++;
    return pOp;
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
    std::shared_ptr<Connection> conn = op->connection;
    memset(&op->overlapped, 0, sizeof(op->overlapped));
    op->wsabuf.buf = op->buffer;
    op->wsabuf.len = (ULONG)kBufferSize;
    Connection::Locked locked = conn->lock();
    if (!locked) {
        return false;
    }
    DWORD received = 0;
    DWORD flags = 0;
    int result = ::WSARecv(locked.socket(), &op->wsabuf, 1, &received, &flags, &op->overlapped, NULL);
    if (result == 0) {
        return received > 0;  // 0: the client has gone
    }
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
    if (size == 0 || size > kBufferSize) {
        return false;
    }
    OverlappedEx* pSend = operations.acquire(OpKind::send);
    if (pSend == NULL) {
        return false;
    }
    pSend->connection = connection;
    pSend->wsabuf.len = (ULONG)size;
    memcpy(pSend->buffer, data, size);
    connection->bytes_in_flight += size;

    bool posted = false;
    {
        Connection::Locked locked = connection->lock();
        if (locked) {
            int result = ::WSASend(locked.socket(), &pSend->wsabuf, 1, NULL, 0, &pSend->overlapped, NULL);
            posted = result == 0 || ::WSAGetLastError() == WSA_IO_PENDING;
        }
    }
    if (!posted) {
        connection->bytes_in_flight -= size;
        operations.release(pSend);
    }
    return posted;
}

}  // namespace lab
