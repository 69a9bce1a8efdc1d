// Right: other orders that the contract allows: the operation is released before the client is told about, the connection is erased
// before it is closed, 0 bytes are looked at before the failure, a receive of a closed client goes no further; waits of 50 ms.
#include "worker.h"

#include <atomic>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  server.clients.erase(connection->id);  // again and again does no harm
  const bool i_closed_it = connection->close();
  if (i_closed_it) server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  if (size <= server.max_bytes_in_flight) {
    const std::size_t room = server.max_bytes_in_flight - size;
    if (connection->bytes_in_flight <= room && post_send(server.operations, connection, data, size)) return true;
  }
  disconnect(server, connection, "nothing more can be sent to it");
  return false;
}

static bool is_open(Connection& connection) { return static_cast<bool>(connection.lock()); }

static void recv_completed(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  std::shared_ptr<Connection> connection = op->connection;
  const bool data = bytes != 0 && ok;
  if (data && is_open(*connection) && server.handler.on_recv(server, connection, op->buffer, bytes) && post_recv(op)) {
    return;
  }
  server.operations.release(op);
  disconnect(server, connection, data ? "it could not go on" : "it has left");
}

static void send_completed(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  std::shared_ptr<Connection> connection = std::move(op->connection);
  const std::size_t size = op->wsabuf.len;
  server.operations.release(op);
  connection->bytes_in_flight -= size;
  if (ok && bytes == size) {
    server.handler.on_sent(server, connection, size);
  } else {
    disconnect(server, connection, "a send was lost");
  }
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  switch (op->kind) {
    case OpKind::recv:
      recv_completed(server, op, ok, bytes);
      break;
    case OpKind::send:
      send_completed(server, op, ok, bytes);
      break;
  }
}

void worker_loop(Server& server) {
  bool going_on = true;
  while (going_on) {
    DWORD bytes = 0;
    ULONG_PTR key = 1;
    OVERLAPPED* overlapped = nullptr;
    ::SetLastError(ERROR_SUCCESS);
    const BOOL ok = ::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, 50);
    const DWORD error = ::GetLastError();
    if (overlapped == nullptr && !ok) {
      going_on = error == WAIT_TIMEOUT;
    } else if (overlapped == nullptr) {
      going_on = key != kQuitKey;
    } else {
      handle_completion(server, operation_from(overlapped), ok == TRUE, bytes);
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  workers.reserve(count);
  try {
    for (unsigned i = 0; i < count; ++i) workers.push_back(std::thread(worker_loop, std::ref(server)));
  } catch (...) {
    stop_workers(server, workers);
    throw;
  }
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  std::size_t to_post = workers.size();
  while (to_post-- > 0) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  while (!workers.empty()) {
    if (workers.back().joinable()) workers.back().join();
    workers.pop_back();
  }
}

}  // namespace lab
