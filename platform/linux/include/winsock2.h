// The part of <winsock2.h> that the labs use. What is not declared here is not supported.
//
// Winsock's `bind` and POSIX's `bind` are overloads: a call whose first argument is a SOCKET (64 bits) is Winsock's,
// one whose first argument is an int is POSIX's. SOCKET also converts to int, so a call that does not match Winsock's
// could silently resolve to the POSIX overload. Two kinds of templates prevent this:
// - a length may be any integer, as on Windows, and the call is still Winsock's;
// - what Windows would reject (socklen_t*, a buffer that is not char*) matches a deleted overload.
#ifndef WIN32_LINUX_WINSOCK2_H
#define WIN32_LINUX_WINSOCK2_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <concepts>

#include "windows.h"

#define WSAAPI
using SOCKET = UINT_PTR;
#define INVALID_SOCKET (static_cast<SOCKET>(~static_cast<SOCKET>(0)))
#define SOCKET_ERROR (-1)

#define SD_RECEIVE 0
#define SD_SEND 1
#define SD_BOTH 2
#define SO_EXCLUSIVEADDRUSE (~SO_REUSEADDR)
#ifndef FIONBIO
#define FIONBIO 0x5421
#endif
#ifndef FIONREAD
#define FIONREAD 0x541B
#endif

using SOCKADDR = sockaddr;
using PSOCKADDR = sockaddr*;
using LPSOCKADDR = sockaddr*;
using SOCKADDR_IN = sockaddr_in;
using PSOCKADDR_IN = sockaddr_in*;
using SOCKADDR_IN6 = sockaddr_in6;
using SOCKADDR_STORAGE = sockaddr_storage;
using IN_ADDR = in_addr;
using IN6_ADDR = in6_addr;
using LINGER = linger;
using ADDRESS_FAMILY = sa_family_t;
using GROUP = unsigned int;

#define WSADESCRIPTION_LEN 256
#define WSASYS_STATUS_LEN 128
struct WSADATA {
  WORD wVersion;
  WORD wHighVersion;
  unsigned short iMaxSockets;
  unsigned short iMaxUdpDg;
  char* lpVendorInfo;
  char szDescription[WSADESCRIPTION_LEN + 1];
  char szSystemStatus[WSASYS_STATUS_LEN + 1];
};
using LPWSADATA = WSADATA*;

struct WSABUF {
  ULONG len;
  CHAR* buf;
};
using LPWSABUF = WSABUF*;
using WSAOVERLAPPED = OVERLAPPED;
using LPWSAOVERLAPPED = OVERLAPPED*;

int WSAStartup(WORD version, LPWSADATA data);
int WSACleanup();
int WSAGetLastError();
void WSASetLastError(int error);

#define WSA_FLAG_OVERLAPPED 0x01
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
// The protocol info must be null.
using LPWSAPROTOCOL_INFOW = std::nullptr_t;
SOCKET WSASocketW(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags);

// POSIX's socket has the same parameters. A family or a type written by name is an enumerator, which makes these the
// better match. If both were int variables, the call would be POSIX's: use WSASocketW for that.
namespace win32_linux {
enum Family : int { kInet = PF_INET, kInet6 = PF_INET6 };
}
#undef AF_INET
#undef AF_INET6
#define AF_INET (win32_linux::kInet)
#define AF_INET6 (win32_linux::kInet6)
SOCKET socket(int family, __socket_type type, int protocol);
SOCKET socket(win32_linux::Family family, int type, int protocol);
SOCKET socket(win32_linux::Family family, __socket_type type, int protocol);

int listen(SOCKET s, int backlog);
SOCKET accept(SOCKET s, sockaddr* name, int* length);
int getsockname(SOCKET s, sockaddr* name, int* length);
int getpeername(SOCKET s, sockaddr* name, int* length);
int getsockopt(SOCKET s, int level, int option, char* value, int* length);
int ioctlsocket(SOCKET s, long command, u_long* value);
int shutdown(SOCKET s, int how);
int closesocket(SOCKET s);

// Completion routines are not supported: the last argument must be null.
using LPWSAOVERLAPPED_COMPLETION_ROUTINE = std::nullptr_t;
int WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED overlapped,
            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped,
            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

// A SOCKET, or a type that converts to one. An int does too, but an int is a POSIX descriptor.
template <class S>
concept AnySocket = std::convertible_to<S, SOCKET> && !std::same_as<S, int>;

namespace win32_linux {
SOCKET socket(int family, int type, int protocol);
int bind(SOCKET s, const sockaddr* name, int length);
int connect(SOCKET s, const sockaddr* name, int length);
int setsockopt(SOCKET s, int level, int option, const char* value, int length);
int send(SOCKET s, const char* data, int length, int flags);
int recv(SOCKET s, char* data, int length, int flags);
}  // namespace win32_linux

template <AnySocket S, std::integral Length>
int bind(const S& s, const sockaddr* name, Length length) {
  return win32_linux::bind(s, name, static_cast<int>(length));
}
template <AnySocket S, std::integral Length>
int connect(const S& s, const sockaddr* name, Length length) {
  return win32_linux::connect(s, name, static_cast<int>(length));
}
template <AnySocket S, std::integral Length>
int setsockopt(const S& s, int level, int option, const char* value, Length length) {
  return win32_linux::setsockopt(s, level, option, value, static_cast<int>(length));
}
template <AnySocket S, std::integral Length>
int send(const S& s, const char* data, Length length, int flags) {
  return win32_linux::send(s, data, static_cast<int>(length), flags);
}
template <AnySocket S, std::integral Length>
int recv(const S& s, char* data, Length length, int flags) {
  return win32_linux::recv(s, data, static_cast<int>(length), flags);
}

// Calls that Windows rejects and POSIX would accept.
template <class T>
concept NotChar = !std::same_as<T, char>;
template <AnySocket S, std::same_as<socklen_t> Length> SOCKET accept(const S&, sockaddr*, Length*) = delete;
template <AnySocket S, std::same_as<socklen_t> Length> int getsockname(const S&, sockaddr*, Length*) = delete;
template <AnySocket S, std::same_as<socklen_t> Length> int getpeername(const S&, sockaddr*, Length*) = delete;
template <AnySocket S, std::same_as<socklen_t> Length> int getsockopt(const S&, int, int, void*, Length*) = delete;
template <AnySocket S, NotChar T, std::integral Length> int setsockopt(const S&, int, int, const T*, Length) = delete;
template <AnySocket S, NotChar T, std::integral Length> int send(const S&, const T*, Length, int) = delete;
template <AnySocket S, NotChar T, std::integral Length> int recv(const S&, T*, Length, int) = delete;
// Calls that Winsock has, POSIX would accept, and this library does not support.
template <AnySocket S, class... Rest> int sendto(const S&, Rest...) = delete;
template <AnySocket S, class... Rest> int recvfrom(const S&, Rest...) = delete;
template <AnySocket S, class... Rest> int sendmsg(const S&, Rest...) = delete;
template <AnySocket S, class... Rest> int recvmsg(const S&, Rest...) = delete;

#endif
