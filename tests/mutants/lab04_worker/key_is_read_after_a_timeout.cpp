// Wrong: the worker looks at the key first. At a time-out the call sets no key, so the variable has a value by chance.
#include "worker.h"

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (!connection->close()) return;
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  if (connection->bytes_in_flight + size > server.max_bytes_in_flight ||
      !post_send(server.operations, connection, data, size)) {
    disconnect(server, connection, "the send failed");
    return false;
  }
  return true;
}

namespace {

// Returns whether another receive is posted with this operation.
bool received(Server& server, OverlappedEx* op, DWORD bytes) {
  if (bytes == 0) {
    disconnect(server, op->connection, "the client left");
    return false;
  }
  if (!server.handler.on_recv(server, op->connection, op->buffer, bytes)) {
    disconnect(server, op->connection, "the handler refused its bytes");
    return false;
  }
  if (post_recv(op)) return true;
  disconnect(server, op->connection, "the receive failed");
  return false;
}

void sent(Server& server, OverlappedEx* op, DWORD bytes) {
  op->connection->bytes_in_flight -= op->wsabuf.len;
  if (bytes < op->wsabuf.len) {
    disconnect(server, op->connection, "a short send");
  } else {
    server.handler.on_sent(server, op->connection, bytes);
  }
}

}  // namespace

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (!ok) {
    if (op->kind == OpKind::send) op->connection->bytes_in_flight -= op->wsabuf.len;
    disconnect(server, op->connection, "an operation failed");
  } else if (op->kind == OpKind::send) {
    sent(server, op, bytes);
  } else if (received(server, op, bytes)) {
    return;
  }
  server.operations.release(op);
}

void worker_loop(Server& server) {
  for (;;) {
    DWORD bytes;
    ULONG_PTR key;
    OVERLAPPED* overlapped;
    const BOOL ok = ::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, INFINITE);
    if (key == kQuitKey) return;
    if (overlapped == nullptr) continue;
    handle_completion(server, operation_from(overlapped), ok != FALSE, bytes);
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < count; ++i) workers.emplace_back([&server] { worker_loop(server); });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  for (std::size_t i = 0; i < workers.size(); ++i) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (std::thread& worker : workers) worker.join();
  workers.clear();
}

}  // namespace lab
