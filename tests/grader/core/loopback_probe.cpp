// Opens a listening socket on 127.0.0.1 and a connection to it. Every lab needs this to work.
#include "loopback_probe.h"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

namespace grader {

namespace {

#ifdef _WIN32
using SocketHandle = SOCKET;
using Length = int;
constexpr SocketHandle kNone = INVALID_SOCKET;
void close_socket(SocketHandle handle) { ::closesocket(handle); }

struct Winsock {
  Winsock() { ok = ::WSAStartup(MAKEWORD(2, 2), &data) == 0; }
  ~Winsock() {
    if (ok) ::WSACleanup();
  }
  WSADATA data;
  bool ok = false;
};
#else
using SocketHandle = int;
using Length = socklen_t;
constexpr SocketHandle kNone = -1;
void close_socket(SocketHandle handle) { ::close(handle); }

struct Winsock {
  bool ok = true;
};
#endif

struct Socket {
  SocketHandle handle = kNone;
  explicit Socket(SocketHandle h) : handle(h) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (handle != kNone) close_socket(handle);
  }
};

}  // namespace

std::string try_loopback() {
  const Winsock winsock;
  if (!winsock.ok) return "WSAStartup fails";
  const Socket listener(::socket(AF_INET, SOCK_STREAM, 0)), client(::socket(AF_INET, SOCK_STREAM, 0));
  if (listener.handle == kNone || client.handle == kNone) return "cannot create a TCP socket";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto raw = reinterpret_cast<sockaddr*>(&address);
  Length size = sizeof address;
  if (::bind(listener.handle, raw, size) != 0) return "cannot bind a port on 127.0.0.1";
  if (::listen(listener.handle, 1) != 0) return "cannot listen on 127.0.0.1";
  if (::getsockname(listener.handle, raw, &size) != 0) return "cannot read the port of a bound socket";
  if (::connect(client.handle, raw, size) != 0) return "cannot connect to 127.0.0.1; a firewall may block it";
  return "";
}

}  // namespace grader
