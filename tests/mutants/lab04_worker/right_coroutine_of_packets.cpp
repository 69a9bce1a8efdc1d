// Right: a coroutine yields the packets of the port until the quit packet; a completion is handled by two small functions.
#include "worker.h"

#include <coroutine>
#include <exception>
#include <functional>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  if (connection->close()) {
    server.clients.erase(connection->id);
    server.handler.on_disconnect(server, connection, why);
  }
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  const std::size_t under_way = connection->bytes_in_flight;
  const bool too_slow = under_way > server.max_bytes_in_flight || size > server.max_bytes_in_flight - under_way;
  if (!too_slow && post_send(server.operations, connection, data, size)) return true;
  disconnect(server, connection, too_slow ? "too much is outstanding" : "its send failed");
  return false;
}

namespace {

struct Packet {
  bool ok = false;
  DWORD bytes = 0;
  OVERLAPPED* overlapped = nullptr;
};

// The packets with an OVERLAPPED, one for each resume.
class Packets {
 public:
  struct promise_type {
    Packets get_return_object() { return Packets(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const Packet& next) {
      packet = next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
    Packet packet;
  };
  explicit Packets(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;
  ~Packets() { handle_.destroy(); }
  bool next(Packet& packet) {
    handle_.resume();
    if (handle_.done()) return false;
    packet = handle_.promise().packet;
    return true;
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

Packets packets_of(HANDLE port) {
  for (;;) {
    Packet packet;
    ULONG_PTR key = 0;
    packet.ok = ::GetQueuedCompletionStatus(port, &packet.bytes, &key, &packet.overlapped, INFINITE) != FALSE;
    const DWORD error = packet.ok ? ERROR_SUCCESS : ::GetLastError();
    if (packet.overlapped != nullptr) {
      co_yield packet;
    } else if (packet.ok && key == kQuitKey) {
      co_return;
    } else if (!packet.ok && error != WAIT_TIMEOUT) {
      co_return;
    }
  }
}

// Null when the receive is pending again, else why the client is to go.
const char* after_receive(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (!ok) return "its receive failed";
  if (bytes == 0) return "it will send no more";
  const auto connection = op->connection;
  if (!server.handler.on_recv(server, connection, op->buffer, bytes)) return "the handler does not want it";
  return post_recv(op) ? nullptr : "its receive could not be posted";
}

void after_send(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  const std::size_t size = op->wsabuf.len;
  op->connection->bytes_in_flight -= size;
  if (ok && bytes == size) {
    server.handler.on_sent(server, op->connection, size);
  } else {
    disconnect(server, op->connection, ok ? "its send was short" : "its send failed");
  }
}

}  // namespace

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (op->kind == OpKind::recv) {
    const auto connection = op->connection;
    const char* const why = after_receive(server, op, ok, bytes);
    if (why == nullptr) return;
    disconnect(server, connection, why);
  } else {
    after_send(server, op, ok, bytes);
  }
  server.operations.release(op);
}

void worker_loop(Server& server) {
  Packets packets = packets_of(server.port);
  for (Packet packet; packets.next(packet);) {
    handle_completion(server, operation_from(packet.overlapped), packet.ok, packet.bytes);
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> workers(count);
  for (std::thread& worker : workers) worker = std::thread(worker_loop, std::ref(server));
  return workers;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  for (const auto& worker : workers) {
    static_cast<void>(worker);
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  while (!workers.empty()) {
    workers.back().join();
    workers.pop_back();
  }
}

}  // namespace lab
