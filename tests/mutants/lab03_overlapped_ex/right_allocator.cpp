// Right: std::allocator gives the memory, and the constructor and the destructor are called by hand.
#include "overlapped_ex.h"

#include <cstring>
#include <memory>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  using Traits = std::allocator_traits<std::allocator<OverlappedEx>>;
  std::allocator<OverlappedEx> heap;
  OverlappedEx* op = Traits::allocate(heap, 1);
  Traits::construct(heap, op);
  op->kind = kind;
  op->wsabuf.len = static_cast<ULONG>(kBufferSize);
  op->wsabuf.buf = op->buffer;
  in_use_.fetch_add(1);
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  std::destroy_at(op);
  std::allocator<OverlappedEx>().deallocate(op, 1);
  in_use_.fetch_sub(1);
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
