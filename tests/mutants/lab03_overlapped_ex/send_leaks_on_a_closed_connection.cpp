// Wrong: the early return for a closed connection forgets the operation and the bytes.
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
  char* at = reinterpret_cast<char*>(overlapped);
  return reinterpret_cast<OverlappedEx*>(at - offsetof(OverlappedEx, overlapped));
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
        if (!locked) {
            return false;  // it is closed
        } else {
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
