// Right: an operation is prepared by a coroutine, which undoes its steps when it is destroyed before its end.
#include "overlapped_ex.h"

#include <coroutine>
#include <cstring>
#include <exception>

namespace lab {

namespace {

// Begins with begin(), and runs to its co_yield. Then it either goes on to its end, or is destroyed there.
class Preparation {
 public:
  struct promise_type {
    Preparation get_return_object() { return Preparation(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    auto yield_value(OverlappedEx* prepared) {
      op = prepared;
      return std::suspend_always();
    }
    void return_void() {}
    void unhandled_exception() { throw; }
    OverlappedEx* op = nullptr;
  };
  explicit Preparation(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;
  ~Preparation() { handle_.destroy(); }

  void begin() { handle_.resume(); }  // throws what acquire throws
  OverlappedEx* operation() const { return handle_.promise().op; }  // or null
  void keep() { handle_.resume(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <class Undo>
struct Otherwise {
  Undo undo;
  bool needed = true;
  ~Otherwise() {
    if (needed) undo();
  }
};
template <class Undo>
Otherwise(Undo) -> Otherwise<Undo>;

Preparation prepare(OperationSource& operations, OpKind kind, const std::shared_ptr<Connection>& connection, std::size_t bytes) {
  OverlappedEx* const op = operations.acquire(kind);
  if (op == nullptr) co_return;
  Otherwise release{[&operations, op] { operations.release(op); }};
  op->connection = connection;
  Connection* const counts = connection.get();  // lives as long as the operation has it
  counts->bytes_in_flight += bytes;
  Otherwise count_down{[counts, bytes] { counts->bytes_in_flight -= bytes; }};
  co_yield op;
  release.needed = count_down.needed = false;
}

bool comes(int result) { return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING; }

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  OverlappedEx* const op = new OverlappedEx();
  op->kind = kind;
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = sizeof op->buffer;
  ++in_use_;
  return op;
}

bool HeapOperations::release(OverlappedEx* op) {
  if (op == nullptr) return false;
  delete op;
  --in_use_;
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) { return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped); }

bool post_recv(OverlappedEx* op) {
  const auto connection = op->connection;
  op->overlapped = OVERLAPPED();
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = sizeof op->buffer;
  const auto locked = connection->lock();
  if (!locked) return false;
  DWORD flags = 0;
  return comes(::WSARecv(locked.socket(), &op->wsabuf, 1, nullptr, &flags, &op->overlapped, nullptr));
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  Preparation preparation = prepare(operations, OpKind::recv, connection, 0);
  preparation.begin();
  if (preparation.operation() == nullptr || !post_recv(preparation.operation())) return false;
  preparation.keep();
  return true;
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size == 0 || size > kBufferSize) return false;
  Preparation preparation = prepare(operations, OpKind::send, connection, size);
  preparation.begin();
  OverlappedEx* const op = preparation.operation();
  if (op == nullptr) return false;
  std::memcpy(op->buffer, data, size);
  op->wsabuf.len = static_cast<ULONG>(size);
  {
    const auto locked = connection->lock();
    if (!locked || !comes(::WSASend(locked.socket(), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr))) return false;
  }
  preparation.keep();
  return true;
}

}  // namespace lab
