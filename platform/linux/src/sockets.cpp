// The Winsock calls on sockets, except options and overlapped I/O.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

#include "real_calls.h"
#include "socket.h"

using namespace win32_linux;

namespace {

std::atomic<int> startups{0};   // WSAStartup calls without a matching WSACleanup

// Returns the result of a call: 0, or SOCKET_ERROR with the error set.
int result(int error) { return error == 0 ? 0 : fail(error); }

SOCKET open_socket(int fd, bool overlapped) {
  const SOCKET s = open_handle(new Socket(fd, overlapped));
  if (s != 0) return s;
  fail(WSAEMFILE);
  return INVALID_SOCKET;
}

SOCKET refuse(int error) {
  fail(error);
  return INVALID_SOCKET;
}

bool has_length_of(int family, int length) {
  return length >= static_cast<int>(family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
}

// Copies a name to a caller's buffer. Winsock rejects a buffer that is too small; POSIX would truncate the name.
int give_name(const sockaddr_storage& from, socklen_t from_length, sockaddr* name, int* length) {
  if (!name || !length || *length < static_cast<int>(from_length)) return WSAEFAULT;
  std::memcpy(name, &from, from_length);
  *length = static_cast<int>(from_length);
  return 0;
}

int transfer(SOCKET s, const char* data, int length, int flags, int (Socket::*call)(Operation&)) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (!data && length != 0) return fail(WSAEFAULT);
  if (length < 0) return fail(WSAEFAULT);
  if (flags & ~(call == &Socket::receive ? MSG_PEEK : 0)) return fail(WSAEOPNOTSUPP);
  Operation operation;
  const WSABUF buffer{static_cast<ULONG>(length), const_cast<char*>(data)};
  operation.set_buffers(&buffer, 1);
  operation.peek = flags & MSG_PEEK;
  if (const int error = (socket.get()->*call)(operation)) return fail(error);
  return static_cast<int>(operation.bytes);
}

}  // namespace

int WSAStartup(WORD version, LPWSADATA data) {
  // WSAStartup returns its error: WSAGetLastError is not available before it has succeeded.
  if (!data) return WSAEFAULT;
  if (LOBYTE(version) == 0) return WSAVERNOTSUPPORTED;
  *data = {};
  data->wVersion = std::min<WORD>(version, MAKEWORD(2, 2));
  if (LOBYTE(version) >= 2) data->wVersion = MAKEWORD(2, 2);
  data->wHighVersion = MAKEWORD(2, 2);
  std::strcpy(data->szDescription, "Winsock over epoll");
  std::strcpy(data->szSystemStatus, "Running");
  startups.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

int WSACleanup() {
  int n = startups.load(std::memory_order_relaxed);
  do {
    if (n == 0) return fail(WSANOTINITIALISED);
  } while (!startups.compare_exchange_weak(n, n - 1, std::memory_order_relaxed));
  return 0;
}

SOCKET real::WSASocketW(int family, int type, int protocol, std::nullptr_t, GROUP group, DWORD flags) {
  if (startups.load(std::memory_order_relaxed) == 0) return refuse(WSANOTINITIALISED);
  if (family != AF_INET && family != AF_INET6) return refuse(WSAEAFNOSUPPORT);
  if (type != SOCK_STREAM) return refuse(WSAESOCKTNOSUPPORT);   // only TCP is supported
  if (protocol != 0 && protocol != IPPROTO_TCP) return refuse(WSAEPROTONOSUPPORT);
  if (group != 0 || (flags & ~DWORD{WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT})) return refuse(WSAEINVAL);
  const int fd = ::socket(family, int{SOCK_STREAM} | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return refuse(wsa_error(errno));
  const int on = 1;
  if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);   // the default on Windows
  return open_socket(fd, flags & WSA_FLAG_OVERLAPPED);
}

SOCKET real::socket(int family, int type, int protocol) {
  return WSASocketW(family, type, protocol, nullptr, 0, WSA_FLAG_OVERLAPPED);
}

int real::bind(SOCKET s, const sockaddr* name, int length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (!name || !has_length_of(name->sa_family, length)) return fail(WSAEFAULT);
  return result(socket->bind(name, static_cast<socklen_t>(length)));
}

int real::listen(SOCKET s, int backlog) {
  const Ref<Socket> socket = find_socket(s);
  return socket ? result(socket->listen(backlog)) : fail(WSAENOTSOCK);
}

SOCKET real::accept(SOCKET s, sockaddr* name, int* length) {
  const Ref<Socket> listener = find_socket(s);
  if (!listener) return refuse(WSAENOTSOCK);
  // Checked before a connection is taken, so that none is lost.
  if (name && (!length || *length < static_cast<int>(sizeof(sockaddr_in)))) return refuse(WSAEFAULT);
  sockaddr_storage from{};
  socklen_t from_length = 0;
  int fd = -1;
  bool nonblocking = false;
  if (const int error = listener->accept(from, from_length, fd, nonblocking)) return refuse(error);
  auto* accepted = new Socket(fd, listener->overlapped());
  accepted->set_connected();
  accepted->set_nonblocking(nonblocking);   // on Windows the mode is inherited, a port is not
  const SOCKET handle = open_handle(accepted);
  if (handle == 0) return refuse(WSAEMFILE);
  if (name) give_name(from, from_length, name, length);
  return handle;
}

int real::connect(SOCKET s, const sockaddr* name, int length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (!name || !has_length_of(name->sa_family, length)) return fail(WSAEFAULT);
  // Linux would interpret address 0 as this machine, and port 0 as a port that refuses.
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(name);
  if (v4->sin_port == 0 || (name->sa_family == AF_INET && v4->sin_addr.s_addr == INADDR_ANY)) {
    return fail(WSAEADDRNOTAVAIL);
  }
  return result(socket->connect(name, static_cast<socklen_t>(length)));
}

int real::getsockname(SOCKET s, sockaddr* name, int* length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  sockaddr_storage own{};
  socklen_t own_length = sizeof own;
  if (::getsockname(socket->fd(), reinterpret_cast<sockaddr*>(&own), &own_length) != 0) return fail(wsa_error(errno));
  // The port has the same offset in both families. An unbound socket has no name on Windows.
  if (reinterpret_cast<const sockaddr_in&>(own).sin_port == 0) return fail(WSAEINVAL);
  return result(give_name(own, own_length, name, length));
}

int real::getpeername(SOCKET s, sockaddr* name, int* length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  sockaddr_storage peer{};
  socklen_t peer_length = sizeof peer;
  if (::getpeername(socket->fd(), reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) return fail(wsa_error(errno));
  return result(give_name(peer, peer_length, name, length));
}

int real::shutdown(SOCKET s, int how) {
  const Ref<Socket> socket = find_socket(s);
  return socket ? result(socket->shutdown(how)) : fail(WSAENOTSOCK);
}

int real::closesocket(SOCKET s) {
  const Ref<Socket> socket(close_slot(s, Kind::kSocket));
  if (!socket) return fail(WSAENOTSOCK);
  socket->close();
  return 0;
}

int real::send(SOCKET s, const char* data, int length, int flags) {
  return transfer(s, data, length, flags, &Socket::send);
}

int real::recv(SOCKET s, char* data, int length, int flags) {
  return transfer(s, data, length, flags, &Socket::receive);
}
