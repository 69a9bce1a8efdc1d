// Right: each post gives a variant, at once, pending or refused; a counting loop of compare_exchange; memory is asked for
// and given back apart from the constructor and the destructor.
#include "overlapped_ex.h"

#include <cstring>
#include <new>
#include <variant>

namespace lab {
namespace {

struct AtOnce {};
struct Pending {};
struct Refused {
  int error;
};
using Outcome = std::variant<AtOnce, Pending, Refused>;

Outcome outcome_of(int result) {
  if (result == 0) return AtOnce{};
  const int error = ::WSAGetLastError();
  if (error == WSA_IO_PENDING) return Pending{};
  return Refused{error};
}

bool comes_back(const Outcome& outcome) { return !std::holds_alternative<Refused>(outcome); }

void add(std::atomic<std::size_t>& count, std::size_t change) {
  std::size_t seen = count.load();
  while (!count.compare_exchange_weak(seen, seen + change)) {
  }
}
void take_away(std::atomic<std::size_t>& count, std::size_t change) { add(count, std::size_t{0} - change); }

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto* op = new (::operator new(sizeof(OverlappedEx))) OverlappedEx;
  op->kind = kind;
  op->wsabuf.len = kBufferSize;
  op->wsabuf.buf = op->buffer;
  add(in_use_, 1);
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  op->~OverlappedEx();
  ::operator delete(op);
  take_away(in_use_, 1);
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) { return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped); }

bool post_recv(OverlappedEx* op) {
  new (&op->overlapped) OVERLAPPED{};
  op->wsabuf = {kBufferSize, op->buffer};
  Outcome outcome = Refused{WSAENOTCONN};
  const std::shared_ptr<Connection> connection = op->connection;
  if (auto locked = connection->lock()) {
    DWORD flags{};
    outcome = outcome_of(::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr));
  }
  return comes_back(outcome);
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  auto* op = operations.acquire(OpKind::recv);
  if (!op) return false;
  op->connection = connection;
  const bool posted = post_recv(op);
  return posted || (operations.release(op), false);
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  auto* op = size != 0 && size <= kBufferSize ? operations.acquire(OpKind::send) : nullptr;
  if (!op) return false;
  std::memmove(op->wsabuf.buf, data, op->wsabuf.len = static_cast<ULONG>(size));
  op->connection = connection;
  add(connection->bytes_in_flight, size);
  Outcome outcome = Refused{WSAENOTCONN};
  if (auto locked = connection->lock()) {
    outcome = outcome_of(::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr));
  }
  if (comes_back(outcome)) return true;
  operations.release(op);  // the bytes are this function's to take back, before or after
  take_away(connection->bytes_in_flight, size);
  return false;
}

}  // namespace lab
