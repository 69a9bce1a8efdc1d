// connect, names of both ends, options, port sharing.
#include "net.h"

namespace {

using namespace net;

template <class T>
int set_option(const Socket& socket, int level, int name, const T& value) {
  return ::setsockopt(socket.get(), level, name, reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T get_option(const Socket& socket, int level, int name) {
  T value{};
  int size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.get(), level, name, reinterpret_cast<char*>(&value), &size), 0) << "error " << ::WSAGetLastError();
  return value;
}

TEST(Connect, IsRefusedWhereNobodyListens) {
  Socket reserved = tcp_socket();
  ASSERT_EQ(bind_to(reserved, loopback()), 0);   // bound but not listening: nobody else can take the port
  Socket client = tcp_socket();
  EXPECT_TRUE(winsock_fails(connect_to(client, local_address(reserved)), WSAECONNREFUSED));
}

TEST(Connect, TwiceIsRefused) {
  const Socket listening = listener();
  Pair pair = connected_pair(listening);
  EXPECT_TRUE(winsock_fails(connect_to(pair.client, local_address(listening)), WSAEISCONN));
}

TEST(Connect, AShortAddressIsRefused) {
  Socket socket = tcp_socket();
  const sockaddr_in address = loopback(1);
  EXPECT_EQ(::connect(socket.get(), raw(address), 4), SOCKET_ERROR);
  EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {WSAEFAULT}, {WSAEADDRNOTAVAIL}, "connect with a short address has another code"));
}

TEST(Connect, WithoutBlockingGoesOnByItself) {
  const Socket listening = listener();
  Socket client = tcp_socket();
  set_nonblocking(client);
  if (connect_to(client, local_address(listening)) != 0) { ASSERT_EQ(::WSAGetLastError(), WSAEWOULDBLOCK); }
  const Socket server = accept_from(listening);
  ASSERT_EQ(send_all(server, "hello"), 5);
  EXPECT_TRUE(within_wait([&] {
    char byte;
    return ::recv(client.get(), &byte, 1, 0) == 1 && byte == 'h';
  }));
  EXPECT_EQ(receive(client, 4).bytes, "ello");
}

TEST(Names, EachSideKnowsBoth) {
  Pair pair = connected_pair();
  sockaddr_in peer{};
  int size = sizeof peer;
  ASSERT_EQ(::getpeername(pair.client.get(), raw(peer), &size), 0);
  EXPECT_EQ(peer.sin_port, local_address(pair.server).sin_port);
  EXPECT_EQ(peer.sin_addr.s_addr, ::htonl(INADDR_LOOPBACK));
  size = sizeof peer;
  ASSERT_EQ(::getpeername(pair.server.get(), raw(peer), &size), 0);
  EXPECT_EQ(peer.sin_port, local_address(pair.client).sin_port);
  EXPECT_EQ(size, static_cast<int>(sizeof peer));
}

TEST(Names, AnUnboundSocketHasNone) {
  Socket socket = tcp_socket();
  sockaddr_in address{};
  int size = sizeof address;
  EXPECT_TRUE(winsock_fails(::getsockname(socket.get(), raw(address), &size), WSAEINVAL));
  EXPECT_TRUE(winsock_fails(::getpeername(socket.get(), raw(address), &size), WSAENOTCONN));
}

TEST(Names, AShortBufferIsRefused) {
  Pair pair = connected_pair();
  sockaddr_in address{};
  int size = 4;
  EXPECT_TRUE(winsock_fails(::getsockname(pair.client.get(), raw(address), &size), WSAEFAULT));
  size = 4;
  EXPECT_TRUE(winsock_fails(::getpeername(pair.client.get(), raw(address), &size), WSAEFAULT));
}

TEST(Options, NoDelayIsRemembered) {
  Socket socket = tcp_socket();
  EXPECT_EQ(get_option<int>(socket, IPPROTO_TCP, TCP_NODELAY), 0);
  ASSERT_EQ(set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  EXPECT_EQ(get_option<int>(socket, IPPROTO_TCP, TCP_NODELAY), 1);
  ASSERT_EQ(set_option(socket, IPPROTO_TCP, TCP_NODELAY, 0), 0);
  EXPECT_EQ(get_option<int>(socket, IPPROTO_TCP, TCP_NODELAY), 0);
}

TEST(Options, BufferSizesAreAtLeastWhatWasAsked) {
  Socket socket = tcp_socket();
  for (const int name : {SO_SNDBUF, SO_RCVBUF}) {
    ASSERT_EQ(set_option(socket, SOL_SOCKET, name, 32 * 1024), 0);
    EXPECT_GE(get_option<int>(socket, SOL_SOCKET, name), 32 * 1024);
  }
}

// Zero is a real setting on Windows: sends then go out straight from the caller's buffer.
TEST(Options, ASendBufferOfZeroIsAllowed) {
  Pair pair = connected_pair();
  ASSERT_EQ(set_option(pair.client, SOL_SOCKET, SO_SNDBUF, 0), 0);
  ASSERT_EQ(send_all(pair.client, "hello"), 5);
  EXPECT_EQ(receive(pair.server, 5).bytes, "hello");
}

TEST(Options, LingerIsRemembered) {
  Socket socket = tcp_socket();
  EXPECT_EQ(get_option<linger>(socket, SOL_SOCKET, SO_LINGER).l_onoff, 0);
  linger value{};
  value.l_onoff = 1;
  value.l_linger = 3;
  ASSERT_EQ(set_option(socket, SOL_SOCKET, SO_LINGER, value), 0);
  const linger got = get_option<linger>(socket, SOL_SOCKET, SO_LINGER);
  EXPECT_NE(got.l_onoff, 0);
  EXPECT_EQ(got.l_linger, 3);
}

TEST(Options, AnUnknownOneIsRefused) {
  Socket socket = tcp_socket();
  int value = 1;
  int size = sizeof value;
  EXPECT_TRUE(winsock_fails(set_option(socket, SOL_SOCKET, 0x7777, value), WSAENOPROTOOPT));
  EXPECT_TRUE(winsock_fails(::getsockopt(socket.get(), SOL_SOCKET, 0x7777, reinterpret_cast<char*>(&value), &size), WSAENOPROTOOPT));
}

TEST(Options, AShortValueIsRefused) {
  Socket socket = tcp_socket();
  const int value = 1;
  EXPECT_TRUE(winsock_fails(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, reinterpret_cast<const char*>(&value), 1), WSAEFAULT));
  EXPECT_TRUE(winsock_fails(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&value), 1), WSAEFAULT));
}

TEST(PortSharing, OptionsAreRememberedAndExcludeEachOther) {
  Socket reuse = tcp_socket();
  ASSERT_EQ(set_option(reuse, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_NE(get_option<int>(reuse, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_TRUE(winsock_fails(set_option(reuse, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), WSAEINVAL));
  Socket exclusive = tcp_socket();
  ASSERT_EQ(set_option(exclusive, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), 0);
  EXPECT_NE(get_option<int>(exclusive, SOL_SOCKET, SO_EXCLUSIVEADDRUSE), 0);
  EXPECT_TRUE(winsock_fails(set_option(exclusive, SOL_SOCKET, SO_REUSEADDR, 1), WSAEINVAL));
}

// What a server asks for: nobody, not even with SO_REUSEADDR, can take its port.
TEST(PortSharing, AnExclusivePortCannotBeTaken) {
  Socket first = tcp_socket();
  ASSERT_EQ(set_option(first, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), 0);
  ASSERT_EQ(bind_to(first, loopback()), 0);
  ASSERT_EQ(::listen(first.get(), 1), 0);
  Socket plain = tcp_socket();
  EXPECT_TRUE(winsock_fails(bind_to(plain, local_address(first)), WSAEADDRINUSE));
  Socket thief = tcp_socket();
  ASSERT_EQ(set_option(thief, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  EXPECT_EQ(bind_to(thief, local_address(first)), SOCKET_ERROR);
  const int error = ::WSAGetLastError();
  EXPECT_TRUE(error == WSAEACCES || error == WSAEADDRINUSE) << error;   // the first on Windows, by its table; a refusal is what counts
}

TEST(PortSharing, TwoThatBothAskedMayShareAPort) {
  Socket first = tcp_socket();
  Socket second = tcp_socket();
  ASSERT_EQ(set_option(first, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  ASSERT_EQ(set_option(second, SOL_SOCKET, SO_REUSEADDR, 1), 0);
  ASSERT_EQ(bind_to(first, loopback()), 0);
  EXPECT_EQ(bind_to(second, local_address(first)), 0) << "error " << ::WSAGetLastError();
}

}  // namespace
