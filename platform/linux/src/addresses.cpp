#include <cerrno>

#include "errors.h"
#include "ws2tcpip.h"

namespace win32_linux {

int pton(int family, const char* text, void* address) {
  if (!text || !address) return fail(WSAEFAULT);
  const int n = ::inet_pton(family, text, address);
  if (n < 0) fail(wsa_error(errno));   // 0 means that the text is not an address, which is not an error
  return n;
}

const char* ntop(int family, const void* address, char* text, std::size_t size) {
  const char* result = text && address ? ::inet_ntop(family, address, text, static_cast<socklen_t>(size)) : nullptr;
  if (!result) fail(text && address && errno == EAFNOSUPPORT ? WSAEAFNOSUPPORT : ERROR_INVALID_PARAMETER);
  return result;
}

}  // namespace win32_linux
