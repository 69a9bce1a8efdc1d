// Wrong: release forgets to count.
#include "overlapped_ex.h"

#include <algorithm>
#include <memory>

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
    return true;
}

// `overlapped` is the first member, so both have the same address.
OverlappedEx* operation_from(OVERLAPPED* overlapped) { return reinterpret_cast<OverlappedEx*>(overlapped); }

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
  if (size < 1 || size > kBufferSize) return false;
  const auto give_back = [&operations](OverlappedEx* op) { operations.release(op); };
  std::unique_ptr<OverlappedEx, decltype(give_back)> op(operations.acquire(OpKind::send), give_back);
  if (!op) return false;
  op->connection = connection;
  std::copy_n(data, size, op->buffer);
  op->wsabuf.len = static_cast<ULONG>(size);

  connection->bytes_in_flight.fetch_add(size);
  const auto locked = connection->lock();
  if (locked && (::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr) == 0 ||
                 ::WSAGetLastError() == WSA_IO_PENDING)) {
    static_cast<void>(op.release());  // it is the system's now
    return true;
  }
  connection->bytes_in_flight.fetch_sub(size);
  return false;
}

}  // namespace lab
