// Wrong: the kind is not looked at; a completed send goes to on_recv and a receive is posted into its buffer.
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
  if (ok == false || bytes == 0) {
    disconnect(server, client, "error or closed");
    if (op->kind == OpKind::send) client->bytes_in_flight -= op->wsabuf.len;
    server.operations.release(op);
    return;
  }
  // data has come: give it to the handler, then wait for the next
  if (server.handler.on_recv(server, client, op->buffer, bytes) == false || post_recv(op) == false) {
    disconnect(server, client, "the handler said no, or no recv could be posted");
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
