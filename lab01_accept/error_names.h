// The names of Winsock's error codes, for messages: "bind: WSAEADDRINUSE (10048)".
// Source: https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
#pragma once

#include <string>
#include <system_error>

#include "win32.h"

namespace lab {

// Returns "WSAEADDRINUSE", or a null pointer if these labs do not use the code.
inline const char* error_name(int code) {
  switch (code) {
    case WSAEINTR: return "WSAEINTR";
    case WSAEBADF: return "WSAEBADF";
    case WSAEACCES: return "WSAEACCES";
    case WSAEFAULT: return "WSAEFAULT";
    case WSAEINVAL: return "WSAEINVAL";
    case WSAEMFILE: return "WSAEMFILE";
    case WSAEWOULDBLOCK: return "WSAEWOULDBLOCK";
    case WSAENOTSOCK: return "WSAENOTSOCK";
    case WSAEMSGSIZE: return "WSAEMSGSIZE";
    case WSAEOPNOTSUPP: return "WSAEOPNOTSUPP";
    case WSAEADDRINUSE: return "WSAEADDRINUSE";
    case WSAEADDRNOTAVAIL: return "WSAEADDRNOTAVAIL";
    case WSAENETDOWN: return "WSAENETDOWN";
    case WSAENETUNREACH: return "WSAENETUNREACH";
    case WSAENETRESET: return "WSAENETRESET";
    case WSAECONNABORTED: return "WSAECONNABORTED";
    case WSAECONNRESET: return "WSAECONNRESET";
    case WSAENOBUFS: return "WSAENOBUFS";
    case WSAEISCONN: return "WSAEISCONN";
    case WSAENOTCONN: return "WSAENOTCONN";
    case WSAESHUTDOWN: return "WSAESHUTDOWN";
    case WSAETIMEDOUT: return "WSAETIMEDOUT";
    case WSAECONNREFUSED: return "WSAECONNREFUSED";
    case WSANOTINITIALISED: return "WSANOTINITIALISED";
    case WSA_IO_PENDING: return "WSA_IO_PENDING";
    case WSA_OPERATION_ABORTED: return "WSA_OPERATION_ABORTED";
    case WAIT_TIMEOUT: return "WAIT_TIMEOUT";
    case ERROR_NETNAME_DELETED: return "ERROR_NETNAME_DELETED";
    case ERROR_INVALID_PARAMETER: return "ERROR_INVALID_PARAMETER";
    case ERROR_ABANDONED_WAIT_0: return "ERROR_ABANDONED_WAIT_0";
    case ERROR_INVALID_HANDLE: return "ERROR_INVALID_HANDLE";
    default: return nullptr;
  }
}

// Returns "WSAEADDRINUSE (10048)", or "10048" if the code has no name here.
inline std::string error_text(int code) {
  const char* const name = error_name(code);
  return name == nullptr ? std::to_string(code) : std::string(name) + " (" + std::to_string(code) + ")";
}

// Returns "bind: WSAEADDRINUSE (10048)". On native Linux std::system_category() has no text for Winsock's codes.
inline std::string error_text(const std::system_error& error) {
  std::string text = error.what();
  const std::string message = error.code().message();
  const std::size_t at = text.rfind(message);
  if (error_name(error.code().value()) == nullptr || at == std::string::npos) return text;
  return text.replace(at, message.size(), error_text(error.code().value()));
}

}  // namespace lab
