// Wrong: wsabuf.len stays that of the whole buffer, so each send has 4096 bytes.
#include "overlapped_ex.h"

#include <algorithm>
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
  if (size < 1 || size > kBufferSize) return false;
  const auto give_back = [&operations](OverlappedEx* op) { operations.release(op); };
  std::unique_ptr<OverlappedEx, decltype(give_back)> op(operations.acquire(OpKind::send), give_back);
  if (!op) return false;
  op->connection = connection;
  std::copy_n(data, size, op->buffer);

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
