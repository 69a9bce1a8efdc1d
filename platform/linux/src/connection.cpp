// The lifetime of a connection: bind, listen, accept, connect, shutdown, and the options that belong to it.
#include <poll.h>

#include <cerrno>
#include <optional>

#include "socket.h"

namespace win32_linux {
namespace {

// Returns the WSA error for an error of accept. Linux reports network errors of the new connection here; Windows
// reports each of them as a reset of a connection that was not yet accepted.
int accept_error(int error_number) {
  switch (error_number) {
    case ECONNABORTED: case EPROTO: case ENOPROTOOPT: case ENETDOWN: case EHOSTDOWN: case ENONET: case EHOSTUNREACH:
    case ENETUNREACH: case ETIMEDOUT: case EPERM:
      return WSAECONNRESET;
    default:
      return wsa_error(error_number);
  }
}

bool has_connection(int listener) {
  pollfd wait{listener, POLLIN, 0};
  return ::poll(&wait, 1, 0) > 0;
}

}  // namespace

int Socket::accept(sockaddr_storage& name, socklen_t& length, int& fd, bool& nonblocking) {
  std::unique_lock lock(mutex_);
  std::optional<BlockedCall> caller;
  for (;;) {
    if (closed_) return caller ? WSAEINTR : WSAENOTSOCK;
    nonblocking = nonblocking_;
    length = sizeof name;
    fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&name), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return 0;
    const int error_number = errno;
    // Linux reports too many open files before it checks for a connection; Windows waits for one.
    const bool none = error_number == EAGAIN ||
                      ((error_number == EMFILE || error_number == ENFILE) && !has_connection(fd_));
    if (!none) return accept_error(error_number);
    if (nonblocking_) return WSAEWOULDBLOCK;
    if (!caller) caller.emplace(blocked_, lock);
    caller->sleep(fd_, POLLIN, INFINITE);
  }
}

int Socket::connect(const sockaddr* name, socklen_t length) {
  std::unique_lock lock(mutex_);
  std::optional<BlockedCall> caller;
  for (;;) {
    if (closed_) return caller ? WSAEINTR : WSAENOTSOCK;
    // Called again after EINPROGRESS, connect reports its progress.
    const int error_number = ::connect(fd_, name, length) == 0 ? 0 : errno;
    if (error_number == 0 || (error_number == EISCONN && caller)) {
      connected_ = true;
      ended_ = false;   // epoll reports an unconnected socket as hung up
      return 0;
    }
    if (error_number != EINPROGRESS && !(error_number == EALREADY && caller)) return wsa_error(error_number);
    if (nonblocking_) {
      connected_ = true;
      return WSAEWOULDBLOCK;
    }
    if (!caller) caller.emplace(blocked_, lock);
    caller->sleep(fd_, POLLOUT, INFINITE);
  }
}

// Windows binds a port whose old connections are still in TIME_WAIT, but never one that is in use. Linux does so if
// both the old and the new socket have SO_REUSEADDR, and neither listens. So this tries without it first, then with it.
int Socket::bind(const sockaddr* name, socklen_t length) {
  const std::lock_guard lock(mutex_);
  if (closed_) return WSAENOTSOCK;
  if (::bind(fd_, name, length) == 0) return 0;
  if (errno != EADDRINUSE) return wsa_error(errno);
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd_, name, length) == 0) return 0;
  const int error = wsa_error(errno);
  if (!reuse_) ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &off, sizeof off);
  return error;
}

int Socket::listen(int backlog) {
  const std::lock_guard lock(mutex_);
  if (closed_) return WSAENOTSOCK;
  if (connected_) return WSAEISCONN;
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &length);
  // The port has the same offset in both families.
  if (reinterpret_cast<const sockaddr_in&>(name).sin_port == 0) return WSAEINVAL;   // Linux would choose a port
  // Accepted sockets inherit it, so that their port can be bound again after they close: see bind().
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return ::listen(fd_, backlog) == 0 ? 0 : wsa_error(errno);
}

int Socket::shutdown(int how) {
  if (how != SD_RECEIVE && how != SD_SEND && how != SD_BOTH) return WSAEINVAL;
  const std::lock_guard lock(mutex_);
  if (closed_) return WSAENOTSOCK;
  if (!connected_) return WSAENOTCONN;
  if (how != SD_SEND) {
    if (::shutdown(fd_, SHUT_RD) != 0) return wsa_error(errno);
    receive_.shut = true;
    if (!port_) drive(receive_);   // with a port, epoll reports the end to the polling thread
  }
  if (how != SD_RECEIVE && !send_.shut) {
    send_.shut = true;
    finish_ = true;
    drive(send_);   // the FIN is sent after the pending sends
  }
  return 0;
}

int Socket::set_sharing(int option, bool on) {
  const std::lock_guard lock(mutex_);
  bool& mine = option == SO_REUSEADDR ? reuse_ : exclusive_;
  const bool other = option == SO_REUSEADDR ? exclusive_ : reuse_;
  if (on && other) return WSAEINVAL;   // they exclude each other
  if (option == SO_REUSEADDR) {
    const int value = on;
    if (::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value) != 0) return wsa_error(errno);
  }
  mine = on;
  return 0;
}

bool Socket::sharing(int option) {
  const std::lock_guard lock(mutex_);
  return option == SO_REUSEADDR ? reuse_ : exclusive_;
}

void Socket::set_timeout(int option, DWORD milliseconds) {
  const std::lock_guard lock(mutex_);
  lane_of(option).timeout = milliseconds == 0 ? INFINITE : milliseconds;
}

DWORD Socket::timeout(int option) {
  const std::lock_guard lock(mutex_);
  const DWORD milliseconds = lane_of(option).timeout;
  return milliseconds == INFINITE ? 0 : milliseconds;
}

void Socket::set_nonblocking(bool on) {
  const std::lock_guard lock(mutex_);
  nonblocking_ = on;
}

void Socket::set_connected() {
  const std::lock_guard lock(mutex_);
  connected_ = true;
}

}  // namespace win32_linux
