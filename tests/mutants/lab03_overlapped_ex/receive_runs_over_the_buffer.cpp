// Wrong: the length is the size of the whole operation.
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
    WSABUF whole{static_cast<ULONG>(sizeof(OverlappedEx)), op->buffer};
    DWORD flags = 0;
    return packet_comes(::WSARecv(locked.socket(), &whole, 1, nullptr, &flags, &op->overlapped, nullptr));
  }
  return false;
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
