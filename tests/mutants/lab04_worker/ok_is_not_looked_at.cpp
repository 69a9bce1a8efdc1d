// Wrong: success is judged by the number of bytes alone; a failed completion with bytes passes for a good one.
#include "worker.h"

#include <algorithm>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (connection->close()) {
    server.clients.erase(connection->id);
    server.handler.on_disconnect(server, connection, why);
  }
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const bool fits = connection->bytes_in_flight + size <= server.max_bytes_in_flight;
  if (fits && post_send(server.operations, connection, data, size)) return true;
  disconnect(server, connection, fits ? "a send could not start" : "the client is too slow");
  return false;
}

namespace {

// Gives the operation back at the end of the scope, unless it was posted again.
class Owned {
 public:
  Owned(OperationSource& source, OverlappedEx* op) : source_(source), op_(op) {}
  ~Owned() {
    if (op_ != nullptr) source_.release(op_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  OverlappedEx* operator->() const { return op_; }
  // True when the system has it now.
  bool post() {
    if (!post_recv(op_)) return false;
    op_ = nullptr;
    return true;
  }

 private:
  OperationSource& source_;
  OverlappedEx* op_;
};

class Completion {
 public:
  Completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes)
      : server_(server), connection_(op->connection), op_(server.operations, op), ok_(ok), bytes_(bytes) {}

  void receive() {
    if (bytes_ == 0) {
      end(ok_ ? "receive: end of stream" : "receive: error");
    } else if (!server_.handler.on_recv(server_, connection_, op_->buffer, bytes_)) {
      end("receive: handler refused");
    } else if (!op_.post()) {
      end("receive: not posted");
    }
  }

  void sent() {
    connection_->bytes_in_flight -= op_->wsabuf.len;
    if (bytes_ == op_->wsabuf.len) {
      server_.handler.on_sent(server_, connection_, bytes_);
    } else {
      end(ok_ ? "send: short" : "send: error");
    }
  }

 private:
  void end(const char* why) { disconnect(server_, connection_, why); }

  Server& server_;
  const std::shared_ptr<Connection> connection_;
  Owned op_;
  const bool ok_;
  const DWORD bytes_;
};

}  // namespace

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const OpKind kind = op->kind;
  Completion completion(server, op, ok, bytes);
  if (kind == OpKind::recv) {
    completion.receive();
  } else {
    completion.sent();
  }
}

namespace {

// What came out of the port.
struct Packet {
  BOOL ok = FALSE;
  DWORD error = 0;
  DWORD bytes = 0;
  ULONG_PTR key = kQuitKey;
  OVERLAPPED* overlapped = nullptr;

  explicit Packet(HANDLE port) {
    ok = ::GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);
    if (!ok) error = ::GetLastError();
  }
  bool is_operation() const { return overlapped != nullptr; }
  bool is_quit() const { return ok && !is_operation() && key == kQuitKey; }
  bool port_is_gone() const { return !ok && !is_operation() && error != WAIT_TIMEOUT; }
};

}  // namespace

void worker_loop(Server& server) {
  for (;;) {
    const Packet packet(server.port);
    if (packet.is_quit() || packet.port_is_gone()) break;
    if (packet.is_operation()) {
      handle_completion(server, operation_from(packet.overlapped), packet.ok != FALSE, packet.bytes);
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers(count);
  std::generate(workers.begin(), workers.end(), [&] { return std::thread([&server] { worker_loop(server); }); });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  std::for_each(workers.begin(), workers.end(), [&](const std::thread&) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  });
  std::for_each(workers.begin(), workers.end(), [](std::thread& worker) { worker.join(); });
  workers.clear();
}

}  // namespace lab
