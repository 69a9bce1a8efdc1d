// Right: a unique_ptr owns an operation before it is given out, and again when it comes back.
#include "overlapped_ex.h"

#include <algorithm>
#include <memory>

namespace lab {

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = std::make_unique_for_overwrite<OverlappedEx>();
  op->kind = kind;
  op->wsabuf = WSABUF{static_cast<ULONG>(kBufferSize), op->buffer};
  ++in_use_;
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  std::unique_ptr<OverlappedEx> mine(op);
  if (!mine) return false;
  mine.reset();
  --in_use_;
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
