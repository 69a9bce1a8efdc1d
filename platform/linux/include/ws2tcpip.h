// The part of <ws2tcpip.h> that the labs use: addresses as text.
#ifndef WIN32_LINUX_WS2TCPIP_H
#define WIN32_LINUX_WS2TCPIP_H

#include "winsock2.h"

namespace win32_linux {
int pton(int family, const char* text, void* address);
const char* ntop(int family, const void* address, char* text, std::size_t size);
}

// POSIX's calls have the same signature. These templates match a typed address pointer better, so that an error is
// reported through WSAGetLastError().
template <class Address>
int inet_pton(int family, const char* text, Address* address) {
  return win32_linux::pton(family, text, address);
}
template <class Address, std::integral Size>
const char* inet_ntop(int family, const Address* address, char* text, Size size) {
  return win32_linux::ntop(family, address, text, static_cast<std::size_t>(size));
}
#define InetPtonA inet_pton
#define InetNtopA inet_ntop

#endif
