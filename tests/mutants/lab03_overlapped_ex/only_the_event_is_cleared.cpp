// Wrong: only hEvent is cleared, the offsets stay.
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

OverlappedEx* operation_from(OVERLAPPED* overlapped) {
  char* at = reinterpret_cast<char*>(overlapped);
  return reinterpret_cast<OverlappedEx*>(at - offsetof(OverlappedEx, overlapped));
}

bool post_recv(OverlappedEx* op) {
  const auto connection = op->connection;  // outlives the lock, even when `op` does not
  const auto locked = connection->lock();
  if (!locked) return false;
  op->overlapped.hEvent = nullptr;
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
