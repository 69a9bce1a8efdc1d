// Wrong: all sends copy their bytes into the same static array.
#include "overlapped_ex.h"

#include <cstring>
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

// `overlapped` is the first member, so both have the same address.
OverlappedEx* operation_from(OVERLAPPED* overlapped) { return reinterpret_cast<OverlappedEx*>(overlapped); }

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
  if (OverlappedEx* op = operations.acquire(OpKind::recv)) {
    op->connection = connection;
    if (post_recv(op)) return true;
    operations.release(op);
  }
  return false;
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
    static char sendBuffer[kBufferSize];
    memcpy(sendBuffer, data, size);
    pSend->wsabuf.buf = sendBuffer;
    pSend->wsabuf.len = (ULONG)size;

    // count first: the completion may come at once
    connection->bytes_in_flight += size;

    bool success = false;
    {
        Connection::Locked locked = connection->lock();
        if (locked) {
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
