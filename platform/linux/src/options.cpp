// setsockopt, getsockopt, ioctlsocket.
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "real_calls.h"
#include "socket.h"

using namespace win32_linux;

namespace {

// Returns whether the option has the same meaning on both systems and is passed on. All of these are ints.
bool goes_through(int level, int option) {
  if (level == IPPROTO_TCP) return option == TCP_NODELAY;
  if (level == IPPROTO_IPV6) return option == IPV6_V6ONLY;
  return level == SOL_SOCKET && (option == SO_KEEPALIVE || option == SO_TYPE || option == SO_ACCEPTCONN);
}

bool is_buffer_size(int level, int option) {
  return level == SOL_SOCKET && (option == SO_SNDBUF || option == SO_RCVBUF);
}

bool is_timeout(int level, int option) {
  return level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO);
}

bool is_sharing(int level, int option) {
  return level == SOL_SOCKET && (option == SO_REUSEADDR || option == SO_EXCLUSIVEADDRUSE);
}

int set_option(Socket& socket, int level, int option, const char* value, int length) {
  const bool lingers = level == SOL_SOCKET && option == SO_LINGER;
  if (!value || length < static_cast<int>(lingers ? sizeof(linger) : sizeof(int))) return WSAEFAULT;
  int number = 0;
  std::memcpy(&number, value, sizeof number);
  if (is_sharing(level, option)) return socket.set_sharing(option, number != 0);
  if (is_timeout(level, option)) {
    socket.set_timeout(option, static_cast<DWORD>(number));
    return 0;
  }
  if (!lingers && !is_buffer_size(level, option) && !goes_through(level, option)) return WSAENOPROTOOPT;
  const socklen_t size = lingers ? sizeof(linger) : sizeof(int);
  return ::setsockopt(socket.fd(), level, option, value, size) == 0 ? 0 : wsa_error(errno);
}

int get_option(Socket& socket, int level, int option, char* value, int* length) {
  const bool lingers = level == SOL_SOCKET && option == SO_LINGER;
  socklen_t size = lingers ? sizeof(linger) : sizeof(int);
  if (!value || !length || *length < static_cast<int>(size)) return WSAEFAULT;
  *length = static_cast<int>(size);
  int number = 0;
  if (is_sharing(level, option)) {
    number = socket.sharing(option);
  } else if (is_timeout(level, option)) {
    number = static_cast<int>(socket.timeout(option));
  } else if (lingers) {
    return ::getsockopt(socket.fd(), level, option, value, &size) == 0 ? 0 : wsa_error(errno);
  } else {
    const bool is_error = level == SOL_SOCKET && option == SO_ERROR;
    if (!is_error && !is_buffer_size(level, option) && !goes_through(level, option)) return WSAENOPROTOOPT;
    if (::getsockopt(socket.fd(), level, option, &number, &size) != 0) return wsa_error(errno);
    if (is_error && number != 0) number = wsa_error(number);
    if (is_buffer_size(level, option)) number /= 2;   // Linux doubles the given size for its own overhead
  }
  std::memcpy(value, &number, sizeof number);
  return 0;
}

}  // namespace

int real::setsockopt(SOCKET s, int level, int option, const char* value, int length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  const int error = set_option(*socket, level, option, value, length);
  return error == 0 ? 0 : fail(error);
}

int real::getsockopt(SOCKET s, int level, int option, char* value, int* length) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  const int error = get_option(*socket, level, option, value, length);
  return error == 0 ? 0 : fail(error);
}

int real::ioctlsocket(SOCKET s, long command, u_long* value) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (!value) return fail(WSAEFAULT);
  if (command == FIONREAD) {
    int bytes = 0;
    if (::ioctl(socket->fd(), FIONREAD, &bytes) != 0) return fail(wsa_error(errno));
    *value = static_cast<u_long>(bytes);
    return 0;
  }
  if (command != FIONBIO) return fail(WSAEINVAL);
  socket->set_nonblocking(*value != 0);
  return 0;
}
