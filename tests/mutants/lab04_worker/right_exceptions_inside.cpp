// Right: whatever ends a client is thrown as an exception within the file, and caught in one place; a lock for each client.
#include "worker.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>

namespace lab {

namespace {

struct ClientMustGo {
  const char* why;
};

void must(bool condition, const char* why) {
  if (!condition) throw ClientMustGo{why};
}

// Completions of one client are handled one after the other. The functions that a handler calls do not take these locks;
// and nobody holds two of them.
std::mutex& lock_of(const Connection& connection) {
  static std::array<std::mutex, 1024> locks;
  return locks[connection.id % locks.size()];
}

// True: it was posted again.
bool recv_again(Server& server, OverlappedEx& op, bool ok, DWORD bytes) {
  must(ok, "recv: failed");
  must(bytes > 0, "recv: closed by the client");
  must(server.handler.on_recv(server, std::shared_ptr<Connection>(op.connection), op.buffer, bytes), "recv: not wanted");
  must(post_recv(&op), "recv: not posted");
  return true;
}

void sent(Server& server, OverlappedEx& op, bool ok, DWORD bytes) {
  op.connection->bytes_in_flight -= op.wsabuf.len;
  must(ok, "send: failed");
  must(bytes == op.wsabuf.len, "send: cut short");
  server.handler.on_sent(server, op.connection, bytes);
}

}  // namespace

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (!connection->close()) return;
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) try {
  must(connection->bytes_in_flight + size <= server.max_bytes_in_flight, "send: too much is outstanding");
  must(post_send(server.operations, connection, data, size), "send: not posted");
  return true;
} catch (const ClientMustGo& problem) {
  disconnect(server, connection, problem.why);
  return false;
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const auto connection = op->connection;
  const std::lock_guard lock(lock_of(*connection));
  try {
    if (op->kind == OpKind::recv) {
      if (recv_again(server, *op, ok, bytes)) return;
    } else {
      sent(server, *op, ok, bytes);
    }
  } catch (const ClientMustGo& problem) {
    disconnect(server, connection, problem.why);
  }
  server.operations.release(op);
}

void worker_loop(Server& server) {
  struct Ends {};
  const auto take = [&](ULONG_PTR& key, OVERLAPPED*& overlapped, DWORD& bytes) {
    const BOOL ok = ::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, INFINITE);
    if (!ok && !overlapped && ::GetLastError() != WAIT_TIMEOUT) throw Ends{};
    if (ok && !overlapped && key == kQuitKey) throw Ends{};
    return ok != FALSE;
  };
  try {
    while (true) {
      ULONG_PTR key = kQuitKey;
      OVERLAPPED* overlapped = nullptr;
      DWORD bytes = 0;
      const bool ok = take(key, overlapped, bytes);
      if (overlapped) handle_completion(server, operation_from(overlapped), ok, bytes);
    }
  } catch (Ends) {
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  std::generate_n(std::back_inserter(workers), count, [&] { return std::thread{worker_loop, std::ref(server)}; });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  for (auto left = workers.size(); left != 0; --left) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (auto worker = workers.rbegin(); worker != workers.rend(); ++worker) worker->join();
  workers.clear();
}

}  // namespace lab
