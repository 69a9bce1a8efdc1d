// Right: guards give back what a step has taken, unless the post succeeds; inside, a failed call is an exception.
#include "overlapped_ex.h"

#include <algorithm>
#include <memory>
#include <system_error>

namespace lab {

namespace {

struct GiveBack {
  OperationSource* source;
  void operator()(OverlappedEx* op) const { source->release(op); }
};
using OperationPtr = std::unique_ptr<OverlappedEx, GiveBack>;

OperationPtr take(OperationSource& source, OpKind kind, const std::shared_ptr<Connection>& connection) {
  OperationPtr op(source.acquire(kind), GiveBack{&source});
  if (!op) throw std::system_error(std::make_error_code(std::errc::not_enough_memory));
  op->connection = connection;
  return op;
}

// Takes the bytes back, unless keep() says that they are under way.
class CountedBytes {
 public:
  CountedBytes(std::atomic<std::size_t>& count, std::size_t size) : count_(&count), size_(size) { count.fetch_add(size); }
  ~CountedBytes() {
    if (count_) count_->fetch_sub(size_);
  }
  CountedBytes(const CountedBytes&) = delete;
  CountedBytes& operator=(const CountedBytes&) = delete;
  void keep() { count_ = nullptr; }

 private:
  std::atomic<std::size_t>* count_;
  std::size_t size_;
};

SOCKET open_socket(const Connection::Locked& locked) {
  if (!locked) throw std::system_error(WSAENOTCONN, std::system_category(), "closed");
  return locked.socket();
}

void must_be_posted(int result) {
  if (result == 0) return;
  const int error = ::WSAGetLastError();
  if (error != WSA_IO_PENDING) throw std::system_error(error, std::system_category(), "post");
}

void receive(OverlappedEx& op) {
  op.overlapped = {};
  op.wsabuf.buf = op.buffer;
  op.wsabuf.len = sizeof op.buffer;
  const auto keeps_it_alive = op.connection;
  const auto locked = keeps_it_alive->lock();
  DWORD flags = 0;
  must_be_posted(::WSARecv(open_socket(locked), &op.wsabuf, 1, nullptr, &flags, &op.overlapped, nullptr));
}

template <class Steps>
bool succeeds(Steps steps) {
  try {
    steps();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

OverlappedEx* HeapOperations::acquire(OpKind kind) {
  auto op = std::make_unique<OverlappedEx>();
  op->kind = kind;
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = sizeof op->buffer;
  in_use_.fetch_add(1);
  return op.release();
}

bool HeapOperations::release(OverlappedEx* op) {
  if (!op) return false;
  std::unique_ptr<OverlappedEx>(op).reset();
  in_use_.fetch_sub(1);
  return true;
}

OverlappedEx* operation_from(OVERLAPPED* overlapped) { return CONTAINING_RECORD(overlapped, OverlappedEx, overlapped); }

bool post_recv(OverlappedEx* op) {
  return succeeds([&] { receive(*op); });
}

bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  return succeeds([&] {
    OperationPtr op = take(operations, OpKind::recv, connection);
    receive(*op);
    static_cast<void>(op.release());  // the system's
  });
}

bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  if (size == 0 || size > kBufferSize) return false;
  return succeeds([&] {
    OperationPtr op = take(operations, OpKind::send, connection);
    std::copy_n(data, size, op->buffer);
    op->wsabuf.len = static_cast<ULONG>(size);
    CountedBytes counted(connection->bytes_in_flight, size);
    {
      const auto locked = connection->lock();
      must_be_posted(::WSASend(open_socket(locked), &op->wsabuf, 1, nullptr, 0, &op->overlapped, nullptr));
    }
    counted.keep();
    static_cast<void>(op.release());
  });
}

}  // namespace lab
