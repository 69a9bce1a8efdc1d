// Wrong: a packet with FALSE is thrown away and the loop goes on; the client stays in the table and its operation stays out.
#include "worker.h"

#include <utility>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (const bool closed_by_me = connection->close(); !closed_by_me) return;
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const auto give_up = [&](const char* why) {
    disconnect(server, connection, why);
    return false;
  };
  const std::size_t limit = server.max_bytes_in_flight;
  if (size > limit || connection->bytes_in_flight > limit - size) return give_up("its sends pile up");
  return post_send(server.operations, connection, data, size) || give_up("it cannot be sent to");
}

namespace {

bool is_recv(const OverlappedEx& op) { return op.kind == OpKind::recv; }

void finish(Server& server, OverlappedEx* op, const char* why) {
  if (why != nullptr) disconnect(server, op->connection, why);
  server.operations.release(op);
}

void on_send_done(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const std::size_t size = op->wsabuf.len;
  op->connection->bytes_in_flight -= size;
  if (!ok) return finish(server, op, "a send failed");
  if (bytes < size) return finish(server, op, "a send was cut");
  server.handler.on_sent(server, op->connection, size);
  finish(server, op, nullptr);
}

void on_recv_done(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (!ok) return finish(server, op, "a receive failed");
  if (bytes == 0) return finish(server, op, "end of stream");
  if (!server.handler.on_recv(server, op->connection, op->buffer, bytes)) return finish(server, op, "refused");
  if (!post_recv(op)) finish(server, op, "no receive could be posted");
}

}  // namespace

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (is_recv(*op)) return on_recv_done(server, op, ok, bytes);
  on_send_done(server, op, ok, bytes);
}

void worker_loop(Server& server) {
  while (true) {
    DWORD bytes = 0;
    ULONG_PTR key = ~kQuitKey;
    OVERLAPPED* overlapped = nullptr;
    if (!::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, INFINITE)) {
      const DWORD error = ::GetLastError();
      if (overlapped == nullptr && error != WAIT_TIMEOUT) return;
      continue;  // an error of one client must not end the worker
    }
    if (overlapped != nullptr) {
      handle_completion(server, operation_from(overlapped), true, bytes);
    } else if (key == kQuitKey) {
      return;
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  workers.reserve(count);
  while (workers.size() < count) workers.emplace_back([&server] { worker_loop(server); });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  auto ending = std::exchange(workers, {});
  for (std::size_t i = 0; i < ending.size(); ++i) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (auto& worker : ending) worker.join();
}

}  // namespace lab
