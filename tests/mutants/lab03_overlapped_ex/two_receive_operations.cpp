// Wrong: start_recv posts two receives, each with an operation of its own.
#include "overlapped_ex.h"

#include <atomic>
#include <cstring>

namespace lab {

namespace {

// A small stack of free operations. Each cell is a pointer that is exchanged as a whole, so it needs no lock.
constexpr int kCells = 32;
struct FreeCells {
  std::atomic<OverlappedEx*> cell[kCells] = {};
  ~FreeCells() {
    for (auto& one : cell) delete one.load();
  }
};
FreeCells free_cells;

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  OverlappedEx* op = nullptr;
  for (int i = 0; i < kCells && op == nullptr; ++i) op = free_cells.cell[i].exchange(nullptr);
  if (op == nullptr) op = new OverlappedEx;
  op->overlapped = {};
  op->kind = kind;
  op->wsabuf.len = static_cast<ULONG>(kBufferSize);
  op->wsabuf.buf = op->buffer;
  in_use_.fetch_add(1);
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  op->connection = nullptr;
  for (int i = 0; i < kCells && op != nullptr; ++i) {
    OverlappedEx* empty = nullptr;
    if (free_cells.cell[i].compare_exchange_strong(empty, op)) op = nullptr;
  }
  delete op;  // all cells are full
  in_use_.fetch_sub(1);
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

static bool start_one(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  if (OverlappedEx* op = operations.acquire(OpKind::recv)) {
    op->connection = connection;
    if (post_recv(op)) return true;
    operations.release(op);
  }
  return false;
}

// Two, so that the client never has to wait for us.
bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  if (!start_one(operations, connection)) return false;
  start_one(operations, connection);
  return true;
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
