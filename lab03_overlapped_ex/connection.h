// Given: a client whose socket several threads use at the same time.
#pragma once

#include <cstddef>
#include <mutex>

#include "accept.h"

namespace lab {

// A client from lab 3 on. Its operations live in OverlappedEx objects; each holds a reference to the connection.
//
// Threads: the accept thread, the worker threads and main all use it. `mutex_` prevents the socket from being closed
// between a check and a call: post every operation through lock(). Without that, a thread could post on a handle that
// another thread has just closed, and that the system has already given to a new client.
struct Connection : Client {
  // The socket, kept open as long as this object exists.
  class Locked {
   public:
    explicit operator bool() const { return socket_ != INVALID_SOCKET; }  // false: the connection is closed
    SOCKET socket() const { return socket_; }

   private:
    friend struct Connection;
    explicit Locked(Connection& connection) : lock_(connection.mutex_), socket_(connection.socket.get()) {}
    std::lock_guard<std::mutex> lock_;
    SOCKET socket_;
  };

  // Keep the result during one WSARecv or WSASend, not longer. Do not call an OperationSource meanwhile: it may lock or
  // close a connection itself.
  Locked lock() { return Locked(*this); }

  // Closes the socket. Every operation that is pending on it completes with an error. Returns true to the one caller
  // that closed it, or false if it was already closed.
  bool close() {
    std::lock_guard guard(mutex_);
    if (!socket.valid()) return false;
    // closesocket also does this, except on Wine, where sends to a slow reader would stay pending.
    ::CancelIoEx(reinterpret_cast<HANDLE>(socket.get()), nullptr);
    socket.close();
    return true;
  }

  // Bytes of sends that are posted and have not completed yet. post_send adds; the handler of the completion subtracts.
  std::atomic<std::size_t> bytes_in_flight{0};

 private:
  std::mutex mutex_;
};

// Makes TCP send small messages at once. Without it, TCP delays a second small message until the first is acknowledged
// (Nagle's algorithm), which costs a game some 40 ms. Page: setsockopt, TCP_NODELAY.
inline void set_no_delay(const UniqueSocket& socket) {
  const int on = 1;
  // A failure only adds latency, so it is ignored.
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
}

}  // namespace lab
