// Right: start_workers returns when all workers have begun, which a latch tells; jthreads post the quit packets.
#include "worker.h"

#include <latch>
#include <memory>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  const bool first = connection->close();
  if (!first) return;
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  if (connection->bytes_in_flight.load() + size > server.max_bytes_in_flight) {
    disconnect(server, connection, "it does not read");
    return false;
  }
  if (!post_send(server.operations, connection, data, size)) {
    disconnect(server, connection, "nothing can be sent to it");
    return false;
  }
  return true;
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const std::shared_ptr<Connection> connection = op->connection;
  if (op->kind == OpKind::send) {
    const std::size_t size = op->wsabuf.len;
    server.operations.release(op);
    connection->bytes_in_flight.fetch_sub(size);
    if (!ok || bytes != size) return disconnect(server, connection, "a send did not complete");
    return server.handler.on_sent(server, connection, size);
  }
  if (ok && bytes != 0 && server.handler.on_recv(server, connection, op->buffer, bytes) && post_recv(op)) return;
  server.operations.release(op);
  disconnect(server, connection, "nothing more is received from it");
}

void worker_loop(Server& server) {
  bool quits = false;
  while (!quits) {
    OVERLAPPED_ENTRY entry{};
    ULONG count = 0;
    if (!::GetQueuedCompletionStatusEx(server.port, &entry, 1, &count, INFINITE, FALSE)) {
      quits = ::GetLastError() != WAIT_TIMEOUT;
    } else if (entry.lpOverlapped == nullptr) {
      quits = entry.lpCompletionKey == kQuitKey;
    } else {
      OverlappedEx* const op = operation_from(entry.lpOverlapped);
      const bool ok = static_cast<LONG>(op->overlapped.Internal) >= 0;  // NT_SUCCESS
      handle_completion(server, op, ok, entry.dwNumberOfBytesTransferred);
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  const auto begun = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(count) + 1);
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < count; ++i) {
    workers.emplace_back([&server, begun] {
      begun->count_down();
      worker_loop(server);
    });
  }
  begun->arrive_and_wait();
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      helpers.emplace_back([port = server.port] {
        while (!::PostQueuedCompletionStatus(port, 0, kQuitKey, nullptr)) std::this_thread::yield();
      });
    }
  }
  for (std::thread& worker : workers) worker.join();
  workers.clear();
}

}  // namespace lab
