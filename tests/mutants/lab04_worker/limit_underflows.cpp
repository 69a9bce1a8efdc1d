// Wrong: the limit is compared with what is left of it; once more is outstanding than the limit, that is a huge number.
#include "worker.h"

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (!connection->close()) return;  // somebody was here before
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const char* why = "a send could not be posted";
  if (size > server.max_bytes_in_flight - connection->bytes_in_flight) {
    why = "it reads too slowly";
  } else if (post_send(server.operations, connection, data, size)) {
    return true;
  }
  disconnect(server, connection, why);
  return false;
}

// Returns false when the receive was not posted again.
static bool handle_recv(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const std::shared_ptr<Connection> connection = op->connection;  // once posted again, `op` is not ours to look into
  const char* why = nullptr;
  if (!ok) {
    why = "a receive failed";
  } else if (bytes == 0) {
    why = "it closed its side";
  } else if (!server.handler.on_recv(server, connection, op->buffer, bytes)) {
    why = "the server said so";
  } else if (!post_recv(op)) {
    why = "a receive could not be posted";
  } else {
    return true;
  }
  disconnect(server, connection, why);
  return false;
}

static void handle_send(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  op->connection->bytes_in_flight -= op->wsabuf.len;
  if (!ok) {
    disconnect(server, op->connection, "a send failed");
  } else if (bytes < op->wsabuf.len) {
    disconnect(server, op->connection, "a send was cut short");  // N19: nothing else can be done
  } else {
    server.handler.on_sent(server, op->connection, bytes);
  }
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (op->kind == OpKind::recv) {
    if (handle_recv(server, op, ok, bytes)) return;
  } else {
    handle_send(server, op, ok, bytes);
  }
  server.operations.release(op);
}

void worker_loop(Server& server) {
  for (;;) {
    DWORD bytes = 0;
    ULONG_PTR key = kQuitKey;
    OVERLAPPED* overlapped = nullptr;
    const BOOL ok = ::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, INFINITE);
    if (overlapped != nullptr) {
      handle_completion(server, operation_from(overlapped), ok, bytes);
    } else if (ok ? key == kQuitKey : ::GetLastError() != WAIT_TIMEOUT) {
      return;
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < count; ++i) workers.emplace_back(worker_loop, std::ref(server));
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
