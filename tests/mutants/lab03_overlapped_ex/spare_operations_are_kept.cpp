// Wrong: operations that came back are kept under a mutex for the next acquire, up to 256 of them.
#include "overlapped_ex.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

namespace lab {

namespace {

// Operations that came back, for the next acquire.
struct Spare {
  std::mutex mutex;
  std::vector<std::unique_ptr<OverlappedEx>> operations;

  std::unique_ptr<OverlappedEx> take() {
    std::lock_guard lock(mutex);
    if (operations.empty()) return nullptr;
    auto op = std::move(operations.back());
    operations.pop_back();
    return op;
  }
  void keep(std::unique_ptr<OverlappedEx> op) {
    std::lock_guard lock(mutex);
    if (operations.size() < 256) operations.push_back(std::move(op));
  }
};

Spare& spare() {
  static Spare all;
  return all;
}

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = spare().take();
  if (!op) op.reset(new OverlappedEx);
  op->overlapped = OVERLAPPED{};
  op->kind = kind;
  op->wsabuf = WSABUF{static_cast<ULONG>(kBufferSize), op->buffer};
  ++in_use_;
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  op->connection.reset();
  spare().keep(std::unique_ptr<OverlappedEx>(op));
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
