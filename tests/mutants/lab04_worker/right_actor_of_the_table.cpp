// Right: each worker has a helper thread, an actor, that takes clients out of the table; the worker waits for it.
#include "worker.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace lab {

namespace {

// Erases clients for one worker.
class Eraser {
 public:
  explicit Eraser(ClientTable& clients) : clients_(clients) {}

  bool erase(ClientId id) {
    std::unique_lock lock(mutex_);
    id_ = id;
    changed_.notify_all();
    changed_.wait(lock, [this] { return erased_.has_value(); });
    const bool erased = *erased_;
    erased_.reset();
    return erased;
  }

 private:
  void live(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return id_.has_value(); })) {
      const ClientId id = *id_;
      id_.reset();
      erased_ = clients_.erase(id);
      changed_.notify_all();
    }
  }
  ClientTable& clients_;
  std::mutex mutex_;  // protects the others
  std::condition_variable_any changed_;
  std::optional<ClientId> id_;
  std::optional<bool> erased_;
  std::jthread thread_{[this](std::stop_token stop) { live(stop); }};  // last: it uses the others
};

thread_local Eraser* eraser = nullptr;  // of this worker

}  // namespace

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (!connection->close()) return;
  if (eraser != nullptr) {
    eraser->erase(connection->id);
  } else {
    server.clients.erase(connection->id);  // another thread than a worker
  }
  server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const std::size_t limit = server.max_bytes_in_flight;
  if (size <= limit && connection->bytes_in_flight <= limit - size) {
    if (post_send(server.operations, connection, data, size)) return true;
    disconnect(server, connection, "WSASend has failed");
  } else {
    disconnect(server, connection, "over the limit");
  }
  return false;
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const auto connection = op->connection;
  std::string why;
  if (op->kind == OpKind::send) connection->bytes_in_flight -= op->wsabuf.len;
  if (!ok) {
    why = op->kind == OpKind::send ? "failed to send" : "failed to receive";
  } else if (op->kind == OpKind::send && bytes != op->wsabuf.len) {
    why = "sent only " + std::to_string(bytes) + " bytes";
  } else if (op->kind == OpKind::send) {
    server.handler.on_sent(server, connection, bytes);
  } else if (bytes == 0) {
    why = "end of stream";
  } else if (server.handler.on_recv(server, connection, op->buffer, bytes)) {
    if (post_recv(op)) return;
    why = "failed to receive again";
  } else {
    why = "sent away";
  }
  server.operations.release(op);
  if (!why.empty()) disconnect(server, connection, why.c_str());
}

void worker_loop(Server& server) {
  Eraser mine(server.clients);
  eraser = &mine;
  for (bool goes_on = true; goes_on;) {
    DWORD bytes = 0;
    ULONG_PTR key = kQuitKey;
    OVERLAPPED* overlapped = nullptr;
    const bool ok = ::GetQueuedCompletionStatus(server.port, &bytes, &key, &overlapped, INFINITE) == TRUE;
    const bool timed_out = !ok && overlapped == nullptr && ::GetLastError() == WAIT_TIMEOUT;
    if (overlapped != nullptr) {
      handle_completion(server, operation_from(overlapped), ok, bytes);
    } else {
      goes_on = timed_out || (ok && key != kQuitKey);
    }
  }
  eraser = nullptr;
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers;
  workers.reserve(count);
  for (unsigned i = 0; i < count; ++i) workers.emplace_back([&server] { worker_loop(server); });
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  for (std::thread& worker [[maybe_unused]] : workers) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (std::thread& worker : workers) worker.join();
  workers.clear();
}

}  // namespace lab
