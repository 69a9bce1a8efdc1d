// Making, naming, connecting and closing sockets; their options.
#include "net.h"

namespace {

using namespace net;

TEST(SocketMake, RefusesAnUnknownFamily) {
  EXPECT_TRUE(socket_fails(::socket(9999, SOCK_STREAM, IPPROTO_TCP), WSAEAFNOSUPPORT));
}

TEST(SocketMake, RefusesAnUnknownType) {
  EXPECT_TRUE(socket_fails(::socket(AF_INET, 99, IPPROTO_TCP), WSAESOCKTNOSUPPORT));
}

TEST(SocketMake, WsaSocketMakesOneForOverlappedUse) {
  Socket socket(::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED));
  ASSERT_TRUE(socket.valid());
  EXPECT_EQ(bind_to(socket, loopback()), 0);
  EXPECT_TRUE(socket_fails(::WSASocketW(9999, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED), WSAEAFNOSUPPORT));
}

TEST(SocketMake, ProtocolZeroIsTcpForAStream) {
  Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_TRUE(socket.valid());
  EXPECT_EQ(bind_to(socket, loopback()), 0);
  EXPECT_EQ(::listen(socket.get(), 1), 0);
}

TEST(SocketClose, TwiceIsAnError) {
  const SOCKET socket = tcp_socket().release();
  ASSERT_EQ(::closesocket(socket), 0);
  EXPECT_TRUE(winsock_fails(::closesocket(socket), WSAENOTSOCK));
}

TEST(SocketClose, NoSocketIsAnError) {
  EXPECT_TRUE(winsock_fails(::closesocket(INVALID_SOCKET), WSAENOTSOCK));
}

TEST(SocketClose, AClosedSocketIsRefusedByEveryCall) {
  const Socket closed(tcp_socket().release());
  const SOCKET s = closed.get();
  ASSERT_EQ(::closesocket(s), 0);
  sockaddr_in address = loopback();
  int size = sizeof address;
  int value = 0;
  int value_size = sizeof value;
  u_long on = 1;
  char byte = 0;
  WSABUF buffer{1, &byte};
  DWORD bytes = 0;
  DWORD flags = 0;
  EXPECT_TRUE(winsock_fails(::bind(s, raw(address), size), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::listen(s, 1), WSAENOTSOCK));
  EXPECT_TRUE(socket_fails(::accept(s, nullptr, nullptr), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::connect(s, raw(address), size), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::getsockname(s, raw(address), &size), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::getpeername(s, raw(address), &size), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::setsockopt(s, SOL_SOCKET, SO_SNDBUF, reinterpret_cast<char*>(&value), sizeof value), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::getsockopt(s, SOL_SOCKET, SO_SNDBUF, reinterpret_cast<char*>(&value), &value_size), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::ioctlsocket(s, FIONBIO, &on), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::shutdown(s, SD_BOTH), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::send(s, &byte, 1, 0), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::recv(s, &byte, 1, 0), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::WSASend(s, &buffer, 1, &bytes, 0, nullptr, nullptr), WSAENOTSOCK));
  EXPECT_TRUE(winsock_fails(::WSARecv(s, &buffer, 1, &bytes, &flags, nullptr, nullptr), WSAENOTSOCK));
  const_cast<Socket&>(closed).release();
}

TEST(SocketBind, PortZeroTakesAFreePort) {
  Socket first = tcp_socket();
  Socket second = tcp_socket();
  ASSERT_EQ(bind_to(first, loopback()), 0);
  ASSERT_EQ(bind_to(second, loopback()), 0);
  const sockaddr_in address = local_address(first);
  EXPECT_EQ(address.sin_family, AF_INET);
  EXPECT_EQ(address.sin_addr.s_addr, ::htonl(INADDR_LOOPBACK));
  EXPECT_NE(address.sin_port, 0);
  EXPECT_NE(address.sin_port, local_address(second).sin_port);
}

TEST(SocketBind, APortInUseIsRefused) {
  const Socket first = listener();
  Socket second = tcp_socket();
  EXPECT_TRUE(winsock_fails(bind_to(second, local_address(first)), WSAEADDRINUSE));
  EXPECT_EQ(bind_to(second, loopback()), 0) << "the socket is still good for another port";
}

TEST(SocketBind, TwiceIsRefused) {
  Socket socket = tcp_socket();
  ASSERT_EQ(bind_to(socket, loopback()), 0);
  EXPECT_TRUE(winsock_fails(bind_to(socket, loopback()), WSAEINVAL));
}

TEST(SocketBind, AForeignAddressIsRefused) {
  Socket socket = tcp_socket();
  sockaddr_in address = loopback();
  ASSERT_EQ(::inet_pton(AF_INET, "192.0.2.1", &address.sin_addr), 1);   // kept for documentation: nobody has it
  EXPECT_TRUE(winsock_fails(bind_to(socket, address), WSAEADDRNOTAVAIL));
}

TEST(SocketBind, AShortAddressIsRefused) {
  Socket socket = tcp_socket();
  const sockaddr_in address = loopback();
  EXPECT_TRUE(winsock_fails(::bind(socket.get(), raw(address), 4), WSAEFAULT));
}

// A server that closed its clients first leaves connections in TIME_WAIT. It can be started again at once.
TEST(SocketBind, APortWhoseConnectionsLingerCanBeBoundAgain) {
  Socket first = listener();
  const sockaddr_in address = local_address(first);
  {
    Pair pair = connected_pair(first);
    pair.server.close();   // the first to close: this side waits
    EXPECT_EQ(receive(pair.client, 1).end, 0);
  }
  first.close();
  Socket second = tcp_socket();
  EXPECT_EQ(bind_to(second, address), 0) << "error " << ::WSAGetLastError();
  EXPECT_EQ(::listen(second.get(), 1), 0);
}

TEST(SocketListen, NeedsABoundSocket) {
  Socket socket = tcp_socket();
  EXPECT_TRUE(winsock_fails(::listen(socket.get(), 1), WSAEINVAL));
}

TEST(SocketListen, AConnectedSocketCannot) {
  Pair pair = connected_pair();
  EXPECT_EQ(::listen(pair.client.get(), 1), SOCKET_ERROR);
  EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {WSAEISCONN}, {WSAEINVAL}, "listen on a connected socket has another code"));
}

TEST(SocketListen, TwiceIsAllowed) {
  const Socket socket = listener();
  EXPECT_EQ(::listen(socket.get(), 5), 0);
  EXPECT_TRUE(connected_pair(socket).server.valid());
}

TEST(SocketAccept, GivesThePeersAddress) {
  const Socket listening = listener();
  Socket client = tcp_socket();
  ASSERT_EQ(connect_to(client, local_address(listening)), 0);
  sockaddr_in peer{};
  int size = sizeof peer;
  const Socket server(::accept(listening.get(), raw(peer), &size));
  ASSERT_TRUE(server.valid());
  EXPECT_EQ(size, static_cast<int>(sizeof peer));
  EXPECT_EQ(peer.sin_family, AF_INET);
  EXPECT_EQ(peer.sin_addr.s_addr, ::htonl(INADDR_LOOPBACK));
  EXPECT_EQ(peer.sin_port, local_address(client).sin_port);
  EXPECT_EQ(local_address(server).sin_port, local_address(listening).sin_port);
}

TEST(SocketAccept, NeedsAListeningSocket) {
  Socket socket = tcp_socket();
  ASSERT_EQ(bind_to(socket, loopback()), 0);
  EXPECT_TRUE(socket_fails(::accept(socket.get(), nullptr, nullptr), WSAEINVAL));
}

TEST(SocketAccept, AShortAddressIsRefusedAndTheNextCallGetsTheClient) {
  const Socket listening = listener();
  Socket client = tcp_socket();
  ASSERT_EQ(connect_to(client, local_address(listening)), 0);
  sockaddr_in peer{};
  int size = 4;
  const Socket server(::accept(listening.get(), raw(peer), &size));
  if (!server.valid()) {
    EXPECT_EQ(::WSAGetLastError(), WSAEFAULT);
  } else {
    EXPECT_TRUE(accepts_either(0, {WSAEFAULT}, {0}, "accept takes an address buffer that is too short"));
  }
}

TEST(SocketAccept, WithoutBlockingSaysThatNobodyIsThere) {
  const Socket listening = listener();
  set_nonblocking(listening);
  EXPECT_TRUE(socket_fails(::accept(listening.get(), nullptr, nullptr), WSAEWOULDBLOCK));
  Socket client = tcp_socket();
  ASSERT_EQ(connect_to(client, local_address(listening)), 0);
  Socket server;
  EXPECT_TRUE(within_wait([&] {
    server = Socket(::accept(listening.get(), nullptr, nullptr));
    return server.valid();
  }));
}

// The early reset: accept() may say WSAECONNRESET or give a dead socket. The one after it must be served either way.
TEST(SocketAccept, GoesOnAfterAClientThatResetInTheQueue) {
  const Socket listening = listener();
  Socket dead = tcp_socket();
  ASSERT_EQ(connect_to(dead, local_address(listening)), 0);
  set_reset_on_close(dead);
  dead.close();
  Socket alive = tcp_socket();
  ASSERT_EQ(connect_to(alive, local_address(listening)), 0);
  const int port = local_address(alive).sin_port;
  for (int i = 0; i < 2; ++i) {
    sockaddr_in peer{};
    int size = sizeof peer;
    Socket server(::accept(listening.get(), raw(peer), &size));
    if (server.valid() && peer.sin_port == port) return;
    if (!server.valid()) {
      EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {WSAECONNRESET}, {WSAENOTCONN}, "accept of a client that reset has another code"));
    }
  }
  ADD_FAILURE() << "the living client should have been accepted second at the latest";
}

// Whether the close comes before or during the wait, accept() ends with an error.
TEST(SocketAccept, ABlockedOneIsEndedByClosesocket) {
  for (const int delay : {0, 1, 20, 50}) {
    Socket listening = listener();
    const SOCKET s = listening.get();
    int error = 0;
    SOCKET accepted = 0;
    Blocking call([&] {
      accepted = ::accept(s, nullptr, nullptr);
      error = ::WSAGetLastError();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(delay));   // the outcome is the same for any delay
    listening.close();
    call.join();
    EXPECT_EQ(accepted, INVALID_SOCKET);
    EXPECT_TRUE(accepts_either<int>(error, {WSAEINTR, WSAENOTSOCK}, {WSA_OPERATION_ABORTED},
                                    "accept ended by closesocket has another code"));
  }
}

}  // namespace
