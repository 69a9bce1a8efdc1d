// Wrong: bytes_in_flight goes down only when the send has succeeded, so failed sends count for ever.
#include "worker.h"

#include <functional>

namespace lab {

// End one client. close() tells if we are the first one who closes it.
void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  bool iAmFirst = connection->close();
  if (iAmFirst == true) {
    server.clients.erase(connection->id);
    server.handler.on_disconnect(server, connection, why);
  }
}

// Send a message if the client has not too much waiting already.
bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  std::size_t waitingBytes = connection->bytes_in_flight;
  std::size_t newTotal = waitingBytes + size;
  if (newTotal > server.max_bytes_in_flight) {
    disconnect(server, connection, "too many bytes are waiting for this client");
    return false;
  }
  bool result = post_send(server.operations, connection, data, size);
  if (result == false) {
    disconnect(server, connection, "post_send did not work");
    return false;
  }
  return true;
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  std::shared_ptr<Connection> client = op->connection;
  // first all the errors, they are the same for recv and send
  if (ok == false) {
    disconnect(server, client, "the operation has failed");
    server.operations.release(op);
    return;
  }
  if (op->kind == OpKind::send) {
    if (bytes < op->wsabuf.len) {
      disconnect(server, client, "only a part was sent");
    } else {
      client->bytes_in_flight -= bytes;
      server.handler.on_sent(server, client, bytes);
    }
    server.operations.release(op);
    return;
  }
  if (bytes == 0) {
    disconnect(server, client, "the client has closed");
    server.operations.release(op);
    return;
  }
  if (server.handler.on_recv(server, client, op->buffer, bytes) == false) {
    disconnect(server, client, "the handler does not want this client");
    server.operations.release(op);
    return;
  }
  if (post_recv(op) == false) {
    disconnect(server, client, "post_recv did not work");
    server.operations.release(op);
  }
}

// The function of one worker thread.
void worker_loop(Server& server) {
  bool running = true;
  while (running) {
    DWORD numberOfBytes = 0;
    ULONG_PTR completionKey = 0;
    OVERLAPPED* pOverlapped = nullptr;
    BOOL result = ::GetQueuedCompletionStatus(server.port, &numberOfBytes, &completionKey, &pOverlapped, INFINITE);
    DWORD error = ::GetLastError();
    if (pOverlapped != nullptr) {
      // an operation is done, good or bad
      OverlappedEx* op = operation_from(pOverlapped);
      handle_completion(server, op, result != FALSE, numberOfBytes);
    } else if (result != FALSE) {
      // somebody posted a packet
      if (completionKey == kQuitKey) {
        running = false;
      }
    } else {
      // the call failed
      if (error != WAIT_TIMEOUT) {
        running = false;
      }
    }
  }
}

std::vector<std::thread> start_workers(Server& server, unsigned count) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; i++) {
    std::thread t(worker_loop, std::ref(server));
    threads.push_back(std::move(t));
  }
  return threads;
}

void stop_workers(Server& server, std::vector<std::thread>& workers) {
  // every worker needs its own quit packet
  for (std::size_t i = 0; i < workers.size(); i++) {
    while (!::PostQueuedCompletionStatus(server.port, 0, kQuitKey, nullptr)) std::this_thread::yield();
  }
  for (std::size_t i = 0; i < workers.size(); i++) {
    workers[i].join();
  }
  workers.clear();
}

}  // namespace lab
