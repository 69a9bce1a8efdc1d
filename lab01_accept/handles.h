// RAII for Winsock: the library itself, and one socket.
#pragma once

#include <atomic>
#include <system_error>

#include "win32.h"

namespace lab {

// For setup errors: throws std::system_error with the name of the call that failed and its code.
[[noreturn]] inline void throw_socket_error(const char* call, int error = ::WSAGetLastError()) {
  throw std::system_error(error, std::system_category(), call);
}

// WSAStartup and WSACleanup. Make one in main, before the first socket.
class WinsockSession {
 public:
  WinsockSession() {
    WSADATA data;
    const int error = ::WSAStartup(MAKEWORD(2, 2), &data);
    if (error != 0) throw_socket_error("WSAStartup", error);
  }
  ~WinsockSession() { ::WSACleanup(); }
  WinsockSession(const WinsockSession&) = delete;
  WinsockSession& operator=(const WinsockSession&) = delete;
};

// Owns one SOCKET and closes it once.
//
// Threads: two threads may call get() and close() at the same time, so one thread can close the listening socket while
// another waits in accept(). Only the handle is shared, and it is atomic. The socket that get() returned may be closed
// a moment later: to keep it open between the check and the call, hold a lock (see Connection in lab 3).
class UniqueSocket {
 public:
  UniqueSocket() = default;
  explicit UniqueSocket(SOCKET socket) : socket_(socket) {}
  UniqueSocket(UniqueSocket&& other) noexcept : socket_(other.release()) {}
  UniqueSocket& operator=(UniqueSocket&& other) noexcept {
    if (this != &other) {
      close();
      socket_ = other.release();
    }
    return *this;
  }
  ~UniqueSocket() { close(); }

  SOCKET get() const { return socket_; }
  bool valid() const { return socket_ != INVALID_SOCKET; }  // SOCKET is unsigned: never test it with `< 0`
  SOCKET release() { return socket_.exchange(INVALID_SOCKET); }
  void close() {
    const SOCKET socket = release();  // of two callers, one gets the handle
    if (socket != INVALID_SOCKET) ::closesocket(socket);
  }

 private:
  std::atomic<SOCKET> socket_{INVALID_SOCKET};
};

}  // namespace lab
