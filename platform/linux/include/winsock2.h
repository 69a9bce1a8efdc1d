// The part of <winsock2.h> that the labs use. What is not declared here is not supported.
//
// Winsock's `bind` and POSIX's `bind` live side by side as overloads: a call whose first argument is a SOCKET (64
// bits) is Winsock's, one whose first argument is an int is POSIX's. SOCKET also converts to int, so a call that
// does not fit Winsock could slip to POSIX without a word. Two kinds of templates shut that door:
//   - a length of another integer type than int goes to Winsock, as on Windows;
//   - what Windows would reject (socklen_t*, a buffer that is not char*) meets a deleted overload.
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
SOCKET WSASocketW(int family, int type, int protocol, std::nullptr_t protocol_info, GROUP group, DWORD flags);
// SOCK_STREAM is an enumerator in glibc: this overload is a better match than POSIX's socket(int, int, int).
// A type kept in an int variable would miss it; the descriptor it then gets is refused by every call below.
SOCKET socket(int family, __socket_type type, int protocol);

int bind(SOCKET s, const sockaddr* name, int length);
int listen(SOCKET s, int backlog);
SOCKET accept(SOCKET s, sockaddr* name, int* length);
int connect(SOCKET s, const sockaddr* name, int length);
int getsockname(SOCKET s, sockaddr* name, int* length);
int getpeername(SOCKET s, sockaddr* name, int* length);
int setsockopt(SOCKET s, int level, int option, const char* value, int length);
int getsockopt(SOCKET s, int level, int option, char* value, int* length);
int ioctlsocket(SOCKET s, long command, u_long* value);
int shutdown(SOCKET s, int how);
int closesocket(SOCKET s);
int send(SOCKET s, const char* data, int length, int flags);
int recv(SOCKET s, char* data, int length, int flags);

// Completion routines are not supported: the last argument must be null.
int WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED overlapped,
            std::nullptr_t routine);
int WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped,
            std::nullptr_t routine);

// Lengths of other integer types.
template <std::integral Length>
int bind(SOCKET s, const sockaddr* name, Length length) { return bind(s, name, static_cast<int>(length)); }
template <std::integral Length>
int connect(SOCKET s, const sockaddr* name, Length length) { return connect(s, name, static_cast<int>(length)); }
template <std::integral Length>
int setsockopt(SOCKET s, int level, int option, const char* value, Length length) {
  return setsockopt(s, level, option, value, static_cast<int>(length));
}
template <std::integral Length>
int send(SOCKET s, const char* data, Length length, int flags) { return send(s, data, static_cast<int>(length), flags); }
template <std::integral Length>
int recv(SOCKET s, char* data, Length length, int flags) { return recv(s, data, static_cast<int>(length), flags); }

// What Windows rejects, and POSIX would take.
template <std::same_as<socklen_t> Length> SOCKET accept(SOCKET, sockaddr*, Length*) = delete;
template <std::same_as<socklen_t> Length> int getsockname(SOCKET, sockaddr*, Length*) = delete;
template <std::same_as<socklen_t> Length> int getpeername(SOCKET, sockaddr*, Length*) = delete;
template <std::same_as<socklen_t> Length> int getsockopt(SOCKET, int, int, void*, Length*) = delete;
template <std::integral Length> int setsockopt(SOCKET, int, int, const void*, Length) = delete;
template <std::integral Length> int send(SOCKET, const void*, Length, int) = delete;
template <std::integral Length> int recv(SOCKET, void*, Length, int) = delete;
// What Winsock has, POSIX would take, and this library does not do.
template <class... Rest> int sendto(SOCKET, Rest...) = delete;
template <class... Rest> int recvfrom(SOCKET, Rest...) = delete;
template <class... Rest> int sendmsg(SOCKET, Rest...) = delete;
template <class... Rest> int recvmsg(SOCKET, Rest...) = delete;

#endif
