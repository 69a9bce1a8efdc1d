// Bytes without a port: send, recv, WSASend and WSARecv without an OVERLAPPED, shutdown, reset, half-close, FIONBIO.
#include "net.h"

namespace {

using namespace net;

TEST(Stream, BytesArriveInOrder) {
  Pair pair = connected_pair();
  std::string sent;
  for (unsigned i = 0; i < 20; ++i) {
    const std::string part = pattern(1 + 37 * i, i);
    ASSERT_EQ(send_all(pair.client, part), static_cast<int>(part.size()));
    sent += part;
  }
  EXPECT_EQ(receive(pair.server, sent.size()).bytes, sent);
}

TEST(Stream, ABlockingRecvTakesWhatIsThere) {
  Pair pair = connected_pair();
  ASSERT_EQ(send_all(pair.client, "abc"), 3);
  char buffer[16];
  EXPECT_EQ(::recv(pair.server.get(), buffer, 2, 0), 2);
  EXPECT_EQ(::recv(pair.server.get(), buffer + 2, 14, 0), 1);
  EXPECT_EQ(std::string(buffer, 3), "abc");
}

TEST(Stream, FionreadTellsHowManyBytesWait) {
  Pair pair = connected_pair();
  u_long waiting = 7;
  ASSERT_EQ(::ioctlsocket(pair.server.get(), FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 0u);
  ASSERT_EQ(send_all(pair.client, "abc"), 3);
  char buffer[16];
  EXPECT_EQ(::recv(pair.server.get(), buffer, 1, 0), 1);  // all three came together
  ASSERT_EQ(::ioctlsocket(pair.server.get(), FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 2u);
}

TEST(Stream, ABlockingRecvWaitsForBytes) {
  Pair pair = connected_pair();
  int got = 0;
  char byte = 0;
  Blocking call([&] { got = ::recv(pair.server.get(), &byte, 1, 0); });
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  call.join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(byte, 'x');
}

TEST(Stream, ABlockingSendTakesAllBytes) {
  Pair pair = connected_pair();
  const std::string sent = pattern(4 * 1024 * 1024, 5);
  int result = 0;
  Blocking call([&] { result = send_all(pair.client, sent); });
  EXPECT_TRUE(receive(pair.server, sent.size()).bytes == sent);
  call.join();
  EXPECT_EQ(result, static_cast<int>(sent.size()));
}

TEST(Stream, NoBytesIsNoEnd) {
  Pair pair = connected_pair();
  EXPECT_EQ(::send(pair.client.get(), "", 0, 0), 0);
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  EXPECT_EQ(receive(pair.server, 1).bytes, "x");
}

TEST(Stream, AnUnconnectedSocketRefuses) {
  Socket socket = tcp_socket();
  char byte = 0;
  EXPECT_EQ(::send(socket.get(), &byte, 1, 0), SOCKET_ERROR);
  EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {WSAENOTCONN}, {WSAECONNRESET}, "a send on an unconnected socket has another code"));
  EXPECT_TRUE(winsock_fails(::recv(socket.get(), &byte, 1, 0), WSAENOTCONN));
  EXPECT_TRUE(winsock_fails(::shutdown(socket.get(), SD_SEND), WSAENOTCONN));
}

TEST(Buffers, AreGatheredAndScattered) {
  Pair pair = connected_pair();
  char a[] = "one ";
  char b[] = "two ";
  char c[] = "three";
  WSABUF out[] = {{4, a}, {0, nullptr}, {4, b}, {5, c}};
  DWORD bytes = 0;
  ASSERT_EQ(::WSASend(pair.client.get(), out, 4, &bytes, 0, nullptr, nullptr), 0);
  EXPECT_EQ(bytes, 13u);
  ASSERT_EQ(receive(pair.server, 0).end, 1);   // non-blocking from here on
  char x[3];
  char y[20];
  WSABUF in[] = {{3, x}, {20, y}};
  DWORD flags = 0;
  ASSERT_TRUE(within_wait([&] { return ::WSARecv(pair.server.get(), in, 2, &bytes, &flags, nullptr, nullptr) == 0; }));
  ASSERT_EQ(bytes, 13u) << "one send over loopback should have come in one piece";
  EXPECT_EQ(std::string(x, 3) + std::string(y, 10), "one two three");
  EXPECT_EQ(flags, 0u);
}

TEST(Buffers, WsaRecvWithoutOverlappedWaits) {
  Pair pair = connected_pair();
  char byte = 0;
  WSABUF buffer{1, &byte};
  DWORD bytes = 0;
  DWORD flags = 0;
  int result = -1;
  Blocking call([&] { result = ::WSARecv(pair.server.get(), &buffer, 1, &bytes, &flags, nullptr, nullptr); });
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  call.join();
  EXPECT_EQ(result, 0);
  EXPECT_EQ(bytes, 1u);
  EXPECT_EQ(byte, 'x');
}

TEST(Buffers, AnUnconnectedSocketRefuses) {
  Socket socket = tcp_socket();
  char byte = 0;
  WSABUF buffer{1, &byte};
  DWORD bytes = 0;
  DWORD flags = 0;
  EXPECT_EQ(::WSASend(socket.get(), &buffer, 1, &bytes, 0, nullptr, nullptr), SOCKET_ERROR);
  EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {WSAENOTCONN}, {WSAECONNRESET}, "a send on an unconnected socket has another code"));
  EXPECT_TRUE(winsock_fails(::WSARecv(socket.get(), &buffer, 1, &bytes, &flags, nullptr, nullptr), WSAENOTCONN));
}

TEST(NonBlocking, EmptyAndFullSayWouldBlock) {
  Pair pair = connected_pair();
  set_nonblocking(pair.client);
  char byte = 0;
  EXPECT_TRUE(winsock_fails(::recv(pair.client.get(), &byte, 1, 0), WSAEWOULDBLOCK));
  WSABUF buffer{1, &byte};
  DWORD bytes = 0;
  DWORD flags = 0;
  EXPECT_TRUE(winsock_fails(::WSARecv(pair.client.get(), &buffer, 1, &bytes, &flags, nullptr, nullptr), WSAEWOULDBLOCK));

  const std::string block = pattern(64 * 1024, 1);
  std::size_t total = 0;
  int result = 0;
  while (total < 256u * 1024 * 1024 && (result = send_all(pair.client, block)) > 0) total += static_cast<std::size_t>(result);
  EXPECT_TRUE(winsock_fails(result, WSAEWOULDBLOCK));
  EXPECT_EQ(receive(pair.server, total).bytes.size(), total) << "what send() took should have arrived";
}

TEST(NonBlocking, CanBeSwitchedOffAgain) {
  Pair pair = connected_pair();
  set_nonblocking(pair.server);
  set_nonblocking(pair.server, false);
  int got = 0;
  char byte = 0;
  Blocking call([&] { got = ::recv(pair.server.get(), &byte, 1, 0); });
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  call.join();
  EXPECT_EQ(got, 1);
}

TEST(Shutdown, SendingEndsAndTheOtherWayGoesOn) {
  Pair pair = connected_pair();
  ASSERT_EQ(send_all(pair.client, "last"), 4);
  ASSERT_EQ(::shutdown(pair.client.get(), SD_SEND), 0);
  const Received received = receive(pair.server, 100);
  EXPECT_EQ(received.bytes, "last");
  EXPECT_EQ(received.end, 0) << "the peer should have seen the end, but it was error " << received.error;
  EXPECT_TRUE(winsock_fails(send_all(pair.client, "more"), WSAESHUTDOWN));
  ASSERT_EQ(send_all(pair.server, "answer"), 6);   // half-closed: this way is still open
  EXPECT_EQ(receive(pair.client, 6).bytes, "answer");
}

TEST(Shutdown, ReceivingEndsHere) {
  Pair pair = connected_pair();
  ASSERT_EQ(::shutdown(pair.client.get(), SD_RECEIVE), 0);
  char byte = 0;
  EXPECT_TRUE(winsock_fails(::recv(pair.client.get(), &byte, 1, 0), WSAESHUTDOWN));
  ASSERT_EQ(send_all(pair.client, "x"), 1);   // sending is not touched
  EXPECT_EQ(receive(pair.server, 1).bytes, "x");
}

TEST(Shutdown, BothWaysAtOnce) {
  Pair pair = connected_pair();
  ASSERT_EQ(::shutdown(pair.client.get(), SD_BOTH), 0);
  char byte = 0;
  EXPECT_TRUE(winsock_fails(::recv(pair.client.get(), &byte, 1, 0), WSAESHUTDOWN));
  EXPECT_TRUE(winsock_fails(::send(pair.client.get(), &byte, 1, 0), WSAESHUTDOWN));
  EXPECT_EQ(receive(pair.server, 1).end, 0);
}

TEST(Shutdown, RefusesAnUnknownKind) {
  Pair pair = connected_pair();
  EXPECT_TRUE(winsock_fails(::shutdown(pair.client.get(), 99), WSAEINVAL));
}

TEST(Close, IsSeenAsTheEndAfterAllBytes) {
  Pair pair = connected_pair();
  ASSERT_EQ(send_all(pair.client, "bye"), 3);
  pair.client.close();
  const Received received = receive(pair.server, 100);
  EXPECT_EQ(received.bytes, "bye");
  EXPECT_EQ(received.end, 0);
  EXPECT_EQ(receive(pair.server, 1).end, 0) << "the end stays the end";
}

// 10054 after a reset. `received` ended before any byte came.
void expect_reset(const Received& received) {
  EXPECT_TRUE(received.bytes.empty());
  EXPECT_TRUE(accepts_either<int>(received.error, {WSAECONNRESET}, {0}, "a recv begun after the peer's reset may see an end, not 10054"));
}

TEST(Close, WithLingerZeroIsAReset) {
  Pair pair = connected_pair();
  set_reset_on_close(pair.client);
  pair.client.close();
  expect_reset(receive(pair.server, 1));
}

TEST(Close, AResetThrowsAwayWhatWasSent) {
  Pair pair = connected_pair();
  ASSERT_EQ(send_all(pair.server, "x"), 1);   // unread at the other side
  set_reset_on_close(pair.client);
  pair.client.close();
  expect_reset(receive(pair.server, 1));
}

TEST(Close, AResetEndsSendingToo) {
  Pair pair = connected_pair();
  set_reset_on_close(pair.client);
  pair.client.close();
  expect_reset(receive(pair.server, 1));
  EXPECT_EQ(send_all(pair.server, "x"), SOCKET_ERROR);
  const int error = ::WSAGetLastError();
  EXPECT_TRUE(error == WSAECONNRESET || error == WSAECONNABORTED) << error;   // either, by the stack's state
}

}  // namespace
