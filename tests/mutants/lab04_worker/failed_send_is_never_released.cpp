// Wrong: the operation of a failed or cut send is not released.
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

void end_recv(Server& server, OverlappedEx* op, const char* why) {
  disconnect(server, op->connection, why);
  server.operations.release(op);
}

void handle_recv(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (!ok || bytes == 0) {
    end_recv(server, op, ok ? "end of stream" : "receive failed");
  } else if (!server.handler.on_recv(server, op->connection, op->buffer, bytes)) {
    end_recv(server, op, "handler refused");
  } else if (!post_recv(op)) {
    end_recv(server, op, "receive not posted");
  }
}

void handle_send(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const auto connection = op->connection;
  const std::size_t size = op->wsabuf.len;
  connection->bytes_in_flight -= size;
  if (!ok || bytes < size) {
    disconnect(server, connection, ok ? "send cut short" : "send failed");
    return;
  }
  server.handler.on_sent(server, connection, size);
  server.operations.release(op);
}

}  // namespace

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  op->kind == OpKind::recv ? handle_recv(server, op, ok, bytes) : handle_send(server, op, ok, bytes);
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
