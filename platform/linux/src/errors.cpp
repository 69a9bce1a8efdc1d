#include "errors.h"

#include <cerrno>

namespace {
thread_local DWORD last_error = NO_ERROR;
}

DWORD GetLastError() { return last_error; }
void SetLastError(DWORD error) { last_error = error; }
int WSAGetLastError() { return static_cast<int>(last_error); }
void WSASetLastError(int error) { last_error = static_cast<DWORD>(error); }

namespace win32_linux {

int fail(int wsa_error) {
  WSASetLastError(wsa_error);
  return SOCKET_ERROR;
}

int wsa_error(int error_number) {
  switch (error_number) {
    case EINTR: return WSAEINTR;
    case EBADF: return WSAENOTSOCK;
    case ENOTSOCK: return WSAENOTSOCK;
    case EACCES: return WSAEACCES;
    case EPERM: return WSAEACCES;
    case EFAULT: return WSAEFAULT;
    case EINVAL: return WSAEINVAL;
    case EMFILE: return WSAEMFILE;
    case ENFILE: return WSAEMFILE;  // Windows has no system-wide limit
    case EAGAIN: return WSAEWOULDBLOCK;
    case EINPROGRESS: return WSAEWOULDBLOCK;  // a connect that has begun, in Winsock's terms
    case EALREADY: return WSAEALREADY;
    case EMSGSIZE: return WSAEMSGSIZE;
    case EPROTOTYPE: return WSAEPROTOTYPE;
    case ENOPROTOOPT: return WSAENOPROTOOPT;
    case EPROTONOSUPPORT: return WSAEPROTONOSUPPORT;
    case ESOCKTNOSUPPORT: return WSAESOCKTNOSUPPORT;
    case EOPNOTSUPP: return WSAEOPNOTSUPP;
    case EAFNOSUPPORT: return WSAEAFNOSUPPORT;
    case EADDRINUSE: return WSAEADDRINUSE;
    case EADDRNOTAVAIL: return WSAEADDRNOTAVAIL;
    case ENETDOWN: return WSAENETDOWN;
    case ENETUNREACH: return WSAENETUNREACH;
    case ENETRESET: return WSAENETRESET;
    case ECONNABORTED: return WSAECONNABORTED;
    case ECONNRESET: return WSAECONNRESET;
    case EPIPE: return WSAECONNRESET;  // Linux reports this to a sender after the reset has been reported
    case ENOBUFS: return WSAENOBUFS;
    case ENOMEM: return WSAENOBUFS;
    case EISCONN: return WSAEISCONN;
    case ENOTCONN: return WSAENOTCONN;
    case ESHUTDOWN: return WSAESHUTDOWN;
    case ETIMEDOUT: return WSAETIMEDOUT;
    case ECONNREFUSED: return WSAECONNREFUSED;
    case EHOSTDOWN: return WSAEHOSTDOWN;
    case EHOSTUNREACH: return WSAEHOSTUNREACH;
    default: return WSAENOBUFS;  // none of the calls used here reports another one
  }
}

Status status_of(int wsa_error) {
  switch (wsa_error) {
    case NO_ERROR: return Status::kSuccess;
    case WSA_OPERATION_ABORTED: return Status::kCancelled;
    case WSAECONNRESET: return Status::kConnectionReset;
    case WSAECONNABORTED: return Status::kConnectionAborted;
    case WSAETIMEDOUT: return Status::kTimedOut;
    case WSAENETUNREACH: return Status::kNetworkUnreachable;
    case WSAEHOSTUNREACH: return Status::kHostUnreachable;
    default: return Status::kUnsuccessful;
  }
}

DWORD win32_error(Status status) {
  switch (status) {
    case Status::kSuccess: return NO_ERROR;
    case Status::kPending: return ERROR_IO_PENDING;
    case Status::kCancelled: return ERROR_OPERATION_ABORTED;
    case Status::kConnectionReset: return ERROR_NETNAME_DELETED;  // error 64
    case Status::kConnectionAborted: return ERROR_CONNECTION_ABORTED;
    case Status::kTimedOut: return ERROR_SEM_TIMEOUT;
    case Status::kNetworkUnreachable: return ERROR_NETWORK_UNREACHABLE;
    case Status::kHostUnreachable: return ERROR_HOST_UNREACHABLE;
    case Status::kUnsuccessful: break;
  }
  return ERROR_GEN_FAILURE;
}

}  // namespace win32_linux
