// What the conformance suite stands on: RAII handles, a connected pair, bounded waits, and one way to name a difference.
// Only calls that the labs may use, so the same source runs on Windows, on Wine and natively.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <gtest/gtest.h>

#include "waiting.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace net {

// --- Results ---------------------------------------------------------------------------------------------------------

inline bool on_wine() {
#ifdef _WIN32
  static const bool wine = ::GetProcAddress(::GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr;
  return wine;
#else
  return false;
#endif
}

// Names a difference, once per test.
inline void print_difference(const std::string& what) {
  static std::set<std::string> printed;
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (!printed.insert(std::string(test->test_suite_name()) + '.' + test->name() + what).second) return;
  std::printf("[  WINE    ] %s\n", what.c_str());
  std::fflush(stdout);
}

// `got` must be one of the values that Windows gives. On Wine it may also be one of `wine`; then the reason is printed.
template <class T>
::testing::AssertionResult accepts_either(T got, std::initializer_list<T> windows, std::initializer_list<T> wine,
                                          const char* reason) {
  if (std::find(windows.begin(), windows.end(), got) != windows.end()) return ::testing::AssertionSuccess();
  std::ostringstream text;
  text << "should have been";
  for (const T& value : windows) text << ' ' << value;
  text << ", but it was " << got;
  if (on_wine() && std::find(wine.begin(), wine.end(), got) != wine.end()) {
    print_difference(std::string(reason) + " (" + text.str() + ")");
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << text.str();
}

// The call failed, and with this code. Read at once, before anything else sets the last error.
inline ::testing::AssertionResult winsock_fails(int result, int code) {
  const int got = ::WSAGetLastError();
  if (result != SOCKET_ERROR) return ::testing::AssertionFailure() << "should have failed with " << code << ", but returned " << result;
  if (got != code) return ::testing::AssertionFailure() << "should have failed with " << code << ", but it was " << got;
  return ::testing::AssertionSuccess();
}

inline ::testing::AssertionResult socket_fails(SOCKET result, int code) {
  const int got = ::WSAGetLastError();
  if (result != INVALID_SOCKET) return ::testing::AssertionFailure() << "should have failed with " << code << ", but gave a socket";
  if (got != code) return ::testing::AssertionFailure() << "should have failed with " << code << ", but it was " << got;
  return ::testing::AssertionSuccess();
}

// For the calls that report by GetLastError: pass true when the call succeeded.
inline ::testing::AssertionResult win32_fails(bool succeeded, DWORD code) {
  const DWORD got = ::GetLastError();
  if (succeeded) return ::testing::AssertionFailure() << "should have failed with " << code << ", but succeeded";
  if (got != code) return ::testing::AssertionFailure() << "should have failed with " << code << ", but it was " << got;
  return ::testing::AssertionSuccess();
}

// --- Handles ---------------------------------------------------------------------------------------------------------

class Socket {
 public:
  explicit Socket(SOCKET socket = INVALID_SOCKET) : socket_(socket) {}
  Socket(Socket&& other) noexcept : socket_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      close();
      socket_ = other.release();
    }
    return *this;
  }
  ~Socket() { close(); }

  SOCKET get() const { return socket_; }
  HANDLE handle() const { return reinterpret_cast<HANDLE>(socket_); }
  bool valid() const { return socket_ != INVALID_SOCKET; }
  SOCKET release() { return std::exchange(socket_, INVALID_SOCKET); }
  void close() {
    if (valid()) { EXPECT_EQ(::closesocket(release()), 0); }
  }

 private:
  SOCKET socket_;
};

class Port {
 public:
  explicit Port(DWORD concurrency = 0) : port_(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)) {
    EXPECT_NE(port_, nullptr) << "error " << ::GetLastError();
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port() { close(); }

  HANDLE get() const { return port_; }
  HANDLE release() { return std::exchange(port_, nullptr); }
  void close() {
    if (port_ != nullptr) { EXPECT_TRUE(::CloseHandle(release())); }
  }
  void add(const Socket& socket, ULONG_PTR key) const {
    ASSERT_EQ(::CreateIoCompletionPort(socket.handle(), port_, key, 0), port_) << "error " << ::GetLastError();
  }

 private:
  HANDLE port_;
};

// --- Sockets ---------------------------------------------------------------------------------------------------------

inline Socket tcp_socket() {
  Socket socket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  EXPECT_TRUE(socket.valid()) << "error " << ::WSAGetLastError();
  return socket;
}

inline sockaddr_in loopback(std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = ::htons(port);
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  return address;
}

inline const sockaddr* raw(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }
inline sockaddr* raw(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

inline int bind_to(const Socket& socket, const sockaddr_in& address) {
  return ::bind(socket.get(), raw(address), sizeof address);
}
inline int connect_to(const Socket& socket, const sockaddr_in& address) {
  return ::connect(socket.get(), raw(address), sizeof address);
}

inline sockaddr_in local_address(const Socket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  EXPECT_EQ(::getsockname(socket.get(), raw(address), &size), 0) << "error " << ::WSAGetLastError();
  return address;
}

inline Socket listener(int backlog = 16) {
  Socket socket = tcp_socket();
  EXPECT_EQ(bind_to(socket, loopback()), 0) << "error " << ::WSAGetLastError();
  EXPECT_EQ(::listen(socket.get(), backlog), 0) << "error " << ::WSAGetLastError();
  return socket;
}

inline Socket accept_from(const Socket& listening) {
  Socket socket(::accept(listening.get(), nullptr, nullptr));
  EXPECT_TRUE(socket.valid()) << "error " << ::WSAGetLastError();
  return socket;
}

struct Pair {
  Socket client;
  Socket server;
};

// Connected over loopback. connect() has returned before accept() is called, so neither can block.
inline Pair connected_pair(const Socket& listening) {
  Pair pair{tcp_socket(), Socket()};
  EXPECT_EQ(connect_to(pair.client, local_address(listening)), 0) << "error " << ::WSAGetLastError();
  pair.server = accept_from(listening);
  return pair;
}
inline Pair connected_pair() { return connected_pair(listener()); }

inline void set_nonblocking(const Socket& socket, bool on = true) {
  u_long value = on ? 1 : 0;
  ASSERT_EQ(::ioctlsocket(socket.get(), FIONBIO, &value), 0) << "error " << ::WSAGetLastError();
}

// The next close sends RST.
inline void set_reset_on_close(const Socket& socket) {
  linger value{};
  value.l_onoff = 1;
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&value), sizeof value), 0);
}

inline int send_all(const Socket& socket, const std::string& bytes) {
  return ::send(socket.get(), bytes.data(), static_cast<int>(bytes.size()), 0);
}

struct Received {
  std::string bytes;
  int end = 1;   // 1: all bytes came; 0: the peer closed; SOCKET_ERROR: `error` says why
  int error = 0;
};

// Receives until `size` bytes are there, the peer closed, or it failed. Leaves the socket non-blocking.
inline Received receive(const Socket& socket, std::size_t size) {
  set_nonblocking(socket);
  Received result;
  std::vector<char> buffer(64 * 1024);
  const bool in_time = within_wait([&] {
    while (result.bytes.size() < size) {
      const int want = static_cast<int>(std::min(buffer.size(), size - result.bytes.size()));
      const int got = ::recv(socket.get(), buffer.data(), want, 0);
      if (got == SOCKET_ERROR && ::WSAGetLastError() == WSAEWOULDBLOCK) return false;
      if (got <= 0) {
        result.end = got;
        result.error = got == 0 ? 0 : ::WSAGetLastError();
        return true;
      }
      result.bytes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return true;
  });
  EXPECT_TRUE(in_time) << "should have received " << size << " bytes, but " << result.bytes.size() << " came";
  return result;
}

// `size` bytes that differ from place to place and from seed to seed.
inline std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace net
