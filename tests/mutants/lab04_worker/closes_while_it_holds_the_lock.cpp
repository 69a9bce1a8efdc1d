// Wrong: disconnect closes the connection while it holds the connection's own lock, and so waits for itself.
#include "worker.h"

#include <functional>

namespace lab {

// End one client, only once.
void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  auto locked = connection->lock();  // nobody else may come in between
  if (!locked) {
    return;  // it is closed already
  }
  connection->close();
  server.clients.erase(connection->id);
  server.handler.on_disconnect(server, connection, why);
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

// A recv has come back.
void processRecv(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  std::shared_ptr<Connection> client = op->connection;  // keep it, op can be gone after post_recv
  if (ok == false) {
    disconnect(server, client, "recv error");
    server.operations.release(op);
    return;
  }
  if (bytes == 0) {
    disconnect(server, client, "the client has closed");
    server.operations.release(op);
    return;
  }
  bool goOn = server.handler.on_recv(server, client, op->buffer, bytes);
  if (goOn == false) {
    disconnect(server, client, "the handler does not want this client");
    server.operations.release(op);
    return;
  }
  bool posted = post_recv(op);
  if (posted == false) {
    disconnect(server, client, "post_recv did not work");
    server.operations.release(op);
  }
}

// A send has come back.
void processSend(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  std::shared_ptr<Connection> client = op->connection;
  std::size_t wanted = op->wsabuf.len;
  client->bytes_in_flight -= wanted;
  if (ok == false) {
    disconnect(server, client, "send error");
  } else if (bytes != wanted) {
    disconnect(server, client, "only a part was sent");
  } else {
    server.handler.on_sent(server, client, wanted);
  }
  server.operations.release(op);
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  if (op->kind == OpKind::recv) {
    processRecv(server, op, ok, bytes);
  } else {
    processSend(server, op, ok, bytes);
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
