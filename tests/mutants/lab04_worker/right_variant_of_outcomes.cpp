// Right: what came out of the port is a std::variant; std::visit goes on. A unique_ptr owns the operation until it is posted again.
#include "worker.h"

#include <optional>
#include <variant>

namespace lab {

namespace {

struct Completion {
  OverlappedEx* op;
  bool ok;
  DWORD bytes;
};
struct Quit {};
struct Nothing {};
struct Broken {
  DWORD error;
};
using Outcome = std::variant<Completion, Quit, Nothing, Broken>;

Outcome next_outcome(HANDLE port) {
  DWORD bytes{};
  ULONG_PTR key{};
  LPOVERLAPPED overlapped{};
  const bool ok = ::GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE) != FALSE;
  const DWORD error = ok ? ERROR_SUCCESS : ::GetLastError();
  if (overlapped) return Completion{operation_from(overlapped), ok, bytes};
  if (ok && key == kQuitKey) return Quit{};
  if (ok || error == WAIT_TIMEOUT) return Nothing{};
  return Broken{error};
}

struct GiveBack {
  OperationSource* source;
  void operator()(OverlappedEx* op) const { source->release(op); }
};
using OwnedOperation = std::unique_ptr<OverlappedEx, GiveBack>;

using Reason = std::optional<const char*>;

// Why the client has to go, if it has to.
Reason recv_done(Server& server, OwnedOperation& op, bool ok, DWORD bytes) {
  if (!ok) return "recv failed";
  if (bytes == 0) return "end of stream";
  const std::shared_ptr<Connection> connection = op->connection;
  if (!server.handler.on_recv(server, connection, op->buffer, bytes)) return "refused by the handler";
  OverlappedEx* const raw = op.release();
  if (post_recv(raw)) return std::nullopt;
  op.reset(raw);
  return "recv could not be posted";
}

Reason send_done(Server& server, const OwnedOperation& op, bool ok, DWORD bytes) {
  const DWORD all = op->wsabuf.len;
  op->connection->bytes_in_flight.fetch_sub(all);
  if (!ok) return "send failed";
  if (bytes != all) return "send was cut";
  server.handler.on_sent(server, op->connection, all);
  return std::nullopt;
}

}  // namespace

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (connection->close()) {
    server.clients.erase(connection->id);
    server.handler.on_disconnect(server, connection, why);
  }
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const bool fits = connection->bytes_in_flight.load() + size <= server.max_bytes_in_flight;
  const bool posted = fits && post_send(server.operations, connection, data, size);
  if (!posted) disconnect(server, connection, fits ? "send could not be posted" : "slow reader");
  return posted;
}

void handle_completion(Server& server, OverlappedEx* raw, bool ok, DWORD bytes) {
  OwnedOperation op(raw, GiveBack{&server.operations});
  const Reason why = op->kind == OpKind::recv ? recv_done(server, op, ok, bytes) : send_done(server, op, ok, bytes);
  if (why) disconnect(server, op->connection, *why);
}

void worker_loop(Server& server) {
  struct Visitor {
    Server& server;
    bool operator()(const Completion& c) const {
      handle_completion(server, c.op, c.ok, c.bytes);
      return true;
    }
    bool operator()(Quit) const { return false; }
    bool operator()(Nothing) const { return true; }
    bool operator()(Broken) const { return false; }
  };
  while (std::visit(Visitor{server}, next_outcome(server.port))) {
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers(count);
  for (std::thread& worker : workers) worker = std::thread([&server] { worker_loop(server); });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  for ([[maybe_unused]] const std::thread& worker : workers) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (std::thread& worker : workers) worker.join();
  workers.clear();
}

}  // namespace lab
