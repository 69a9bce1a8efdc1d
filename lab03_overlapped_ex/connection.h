// Given: a client whose socket several threads use at the same time.
#pragma once

#include <cstddef>
#include <mutex>

#include "accept.h"

namespace lab {

// A client from lab 3 on. Its operations live in OverlappedEx objects; each holds a reference to the connection.
//
// Threads: the accept thread, the worker threads and main all use it. `mutex_` protects the socket against being closed
// between a look and a call: whoever posts an operation does it through lock(). Without that, a thread could post on a
// handle that another thread has just closed, and that the system has already given to a new client.
struct Connection : Client {
  // The socket, held open for as long as this object lives.
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

  // Keep the result for the time of one WSARecv or WSASend, not longer. Call no function of an OperationSource
  // meanwhile: it may lock or close a connection itself.
  Locked lock() { return Locked(*this); }

  // Closes the socket. Everything that is pending on it completes with an error. Returns true to the one caller who
  // closed it, false when it was closed already.
  bool close() {
    std::lock_guard guard(mutex_);
    if (!socket.valid()) return false;
    // closesocket does this too, except on Wine: there sends that wait for a slow reader would stay pending.
    ::CancelIoEx(reinterpret_cast<HANDLE>(socket.get()), nullptr);
    socket.close();
    return true;
  }

  // Bytes of sends that are posted and have not completed yet. post_send adds; who handles the completion subtracts.
  std::atomic<std::size_t> bytes_in_flight{0};

 private:
  std::mutex mutex_;
};

// Lets small messages go out at once. Without it, TCP keeps a second small message back until the first is acknowledged
// (Nagle's algorithm), which costs a game some 40 ms. Page: setsockopt, TCP_NODELAY.
inline void set_no_delay(const UniqueSocket& socket) {
  const int on = 1;
  // A failure costs time, not correctness, so there is nothing to do about it.
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
}

}  // namespace lab
