// WSARecv and WSASend with an OVERLAPPED: success at once and later, failure, several buffers, no bytes, end and reset.
#include "port_fixture.h"

namespace {

using namespace net;
using Overlapped = PortTest;

TEST_F(Overlapped, ARecvWaitsForBytes) {
  Op& op = try_recv(pair_.server, 100);
  EXPECT_EQ(op.result, SOCKET_ERROR);
  EXPECT_EQ(op.error, WSA_IO_PENDING);
  EXPECT_EQ(op.overlapped.Internal, 0x103u) << "STATUS_PENDING, as HasOverlappedIoCompleted expects";
  expect_empty(port_.get());
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  expect_success(op, 5);
  EXPECT_EQ(op.text(5), "hello");
  EXPECT_EQ(op.overlapped.Internal, 0u);
  EXPECT_EQ(op.overlapped.InternalHigh, 5u);
}

// Success at once still queues its packet.
TEST_F(Overlapped, ARecvOfWaitingBytesQueuesAPacketToo) {
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  expect_success(start_recv(pair_.server, 5), 5);
  ASSERT_EQ(send_all(pair_.client, "again"), 5);
  Op* op = nullptr;
  ASSERT_TRUE(within_wait([&] {   // until one succeeds in the call itself
    op = &start_recv(pair_.server, 1);
    const bool at_once = op->result == 0;
    expect_success(*op, 1);
    if (!at_once) { EXPECT_EQ(send_all(pair_.client, "x"), 1); }
    return at_once || HasFailure();
  }));
  EXPECT_EQ(op->bytes, 1u);
}

TEST_F(Overlapped, ARecvTakesNoMoreThanItsBuffer) {
  ASSERT_EQ(send_all(pair_.client, "abcdef"), 6);
  Op& first = start_recv(pair_.server, 4);
  expect_success(first, 4);
  Op& second = start_recv(pair_.server, 4);
  expect_success(second, 2);
  EXPECT_EQ(first.text(4) + second.text(2), "abcdef");
}

TEST_F(Overlapped, ASendQueuesAPacket) {
  Op& op = start_send(pair_.server, "hello");
  expect_success(op, 5);
  EXPECT_EQ(op.overlapped.InternalHigh, 5u);
  EXPECT_EQ(receive(pair_.client, 5).bytes, "hello");
}

TEST_F(Overlapped, TheByteCountMayBeLeftOut) {
  Op& op = new_op(4);
  WSABUF buffer{4, op.data.data()};
  DWORD flags = 0;
  op.packets_due = 1;
  op.result = ::WSARecv(pair_.server.get(), &buffer, 1, nullptr, &flags, &op.overlapped, nullptr);
  EXPECT_TRUE(op.result == 0 || ::WSAGetLastError() == WSA_IO_PENDING);
  ASSERT_EQ(send_all(pair_.client, "four"), 4);
  expect_success(op, 4);
}

// The WSABUF array is copied by the call; only the buffers themselves must stay.
TEST_F(Overlapped, TheBufferArrayMayBeGoneAfterTheCall) {
  Op& op = new_op(6);
  {
    std::vector<WSABUF> buffers{{2, op.data.data()}, {4, op.data.data() + 2}};
    DWORD flags = 0;
    op.packets_due = 1;
    op.result = ::WSARecv(pair_.server.get(), buffers.data(), 2, nullptr, &flags, &op.overlapped, nullptr);
    buffers.assign(2, WSABUF{1, nullptr});
  }
  ASSERT_EQ(send_all(pair_.client, "sixsix"), 6);
  expect_success(op, 6);
  EXPECT_EQ(op.text(6), "sixsix");
}

TEST_F(Overlapped, SeveralBuffersOnBothSides) {
  Op& out = new_op(1000);
  const std::string sent = pattern(1000, 3);
  std::copy(sent.begin(), sent.end(), out.data.begin());
  WSABUF gather[] = {{1, out.data.data()}, {0, out.data.data()}, {499, out.data.data() + 1}, {500, out.data.data() + 500}};
  out.packets_due = 1;
  out.result = ::WSASend(pair_.server.get(), gather, 4, nullptr, 0, &out.overlapped, nullptr);
  expect_success(out, 1000);
  ASSERT_EQ(receive(pair_.client, 1000).bytes, sent);

  Op& in = new_op(1000);
  WSABUF scatter[] = {{600, in.data.data() + 400}, {400, in.data.data()}};   // filled in the array's order
  DWORD flags = 0;
  in.packets_due = 1;
  in.result = ::WSARecv(pair_.server.get(), scatter, 2, nullptr, &flags, &in.overlapped, nullptr);
  ASSERT_EQ(send_all(pair_.client, sent), 1000);
  expect_success(in, 1000);
  EXPECT_EQ(std::string(in.data.data() + 400, 600) + in.text(400), sent);
}

TEST_F(Overlapped, FourHundredBuffersInOneSend) {
  Op& op = new_op(4000);
  const std::string sent = pattern(4000, 4);
  std::copy(sent.begin(), sent.end(), op.data.begin());
  std::vector<WSABUF> buffers;
  for (std::size_t i = 0; i < 400; ++i) buffers.push_back({10, op.data.data() + 10 * i});
  op.packets_due = 1;
  op.result = ::WSASend(pair_.server.get(), buffers.data(), 400, nullptr, 0, &op.overlapped, nullptr);
  expect_success(op, 4000);
  EXPECT_EQ(receive(pair_.client, 4000).bytes, sent);
}

TEST_F(Overlapped, ASendOfNoBytesCompletesWithNone) {
  expect_success(start_send(pair_.server, ""), 0);
  expect_success(start_send(pair_.server, "x"), 1);
  EXPECT_EQ(receive(pair_.client, 1).bytes, "x");
}

// A zero-byte recv tells that bytes are there and takes none of them.
TEST_F(Overlapped, ARecvOfNoBytesTakesNone) {
  Op& probe = start_recv(pair_.server, 0);
  const Packet early = next(100);
  if (early.overlapped != nullptr) {
    EXPECT_TRUE(accepts_either<int>(0, {1}, {0}, "a recv of no bytes completes at once; it does not wait for bytes"));
    EXPECT_EQ(early.overlapped, &probe.overlapped);
    EXPECT_EQ(early.bytes, 0u);
  }
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  if (early.overlapped == nullptr) expect_success(probe, 0);
  Op& op = start_recv(pair_.server, 5);
  expect_success(op, 5);
  EXPECT_EQ(op.text(5), "hello");
}

TEST_F(Overlapped, ANonBlockingSocketStillWaits) {
  set_nonblocking(pair_.server);
  Op& op = try_recv(pair_.server, 5);
  EXPECT_EQ(op.error, WSA_IO_PENDING);
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  expect_success(op, 5);
}

TEST_F(Overlapped, WithoutAnOverlappedNoPacketComes) {
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  char data[5];
  WSABUF buffer{5, data};
  DWORD bytes = 0;
  DWORD flags = 0;
  ASSERT_EQ(::WSARecv(pair_.server.get(), &buffer, 1, &bytes, &flags, nullptr, nullptr), 0);
  EXPECT_EQ(bytes, 5u);
  ASSERT_EQ(::WSASend(pair_.server.get(), &buffer, 1, &bytes, 0, nullptr, nullptr), 0);
  EXPECT_EQ(bytes, 5u);
  ASSERT_EQ(send_all(pair_.server, "x"), 1);
  EXPECT_EQ(receive(pair_.client, 6).bytes, "hellox");
  expect_success(start_send(pair_.server, "last"), 4);   // the first packet of all: nothing was queued before it
}

TEST_F(Overlapped, AnUnconnectedSocketRefusesAndQueuesNothing) {
  others_.push_back(tcp_socket());
  port_.add(others_[0], 9);
  EXPECT_EQ(try_recv(others_[0], 1).error, WSAENOTCONN);
  EXPECT_TRUE(accepts_either<int>(try_send(others_[0], "x").error, {WSAENOTCONN}, {WSAECONNRESET},
                                  "a send on an unconnected socket has another code"));
  expect_empty(port_.get());
}

TEST_F(Overlapped, AClosedSocketRefusesAndQueuesNothing) {
  const Socket closed(pair_.server.get());
  pair_.server.close();
  EXPECT_EQ(try_recv(closed, 1).error, WSAENOTSOCK);
  EXPECT_EQ(try_send(closed, "x").error, WSAENOTSOCK);
  const_cast<Socket&>(closed).release();
  expect_empty(port_.get());
}

TEST_F(Overlapped, ASendAfterShutdownRefusesAndQueuesNothing) {
  ASSERT_EQ(::shutdown(pair_.server.get(), SD_SEND), 0);
  EXPECT_EQ(try_send(pair_.server, "x").error, WSAESHUTDOWN);
  expect_empty(port_.get());
}

// A graceful close: success with 0 bytes, for every recv that waits and every later one.
TEST_F(Overlapped, TheEndIsARecvOfNoBytes) {
  Op& first = start_recv(pair_.server, 10);
  Op& second = start_recv(pair_.server, 10);
  ASSERT_EQ(::shutdown(pair_.client.get(), SD_SEND), 0);
  expect_success(first, 0);
  expect_success(second, 0);
  expect_success(start_recv(pair_.server, 10), 0);
}

TEST_F(Overlapped, BytesComeBeforeTheEnd) {
  ASSERT_EQ(send_all(pair_.client, "bye"), 3);
  pair_.client.close();
  expect_success(start_recv(pair_.server, 10), 3);
  expect_success(start_recv(pair_.server, 10), 0);
}

TEST_F(Overlapped, AHalfClosedPeerStillHears) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_EQ(::shutdown(pair_.client.get(), SD_SEND), 0);
  expect_success(op, 0);
  expect_success(start_send(pair_.server, "answer"), 6);
  EXPECT_EQ(receive(pair_.client, 6).bytes, "answer");
}

TEST_F(Overlapped, AResetFailsAWaitingRecvWith64) {
  Op& op = start_recv(pair_.server, 10);
  set_reset_on_close(pair_.client);
  pair_.client.close();
  const Packet packet = next();
  EXPECT_EQ(packet.overlapped, &op.overlapped);
  EXPECT_FALSE(packet.ok);
  EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_NETNAME_DELETED));
  EXPECT_EQ(packet.key, kKey);
  EXPECT_EQ(packet.bytes, 0u);
  EXPECT_NE(op.overlapped.Internal, 0u);
}

TEST_F(Overlapped, AResetFailsEveryWaitingRecv) {
  for (int i = 0; i < 3; ++i) start_recv(pair_.server, 10);
  set_reset_on_close(pair_.client);
  pair_.client.close();
  for (int i = 0; i < 3; ++i) {
    const Packet packet = next();
    ASSERT_EQ(packet.overlapped, &ops_[static_cast<std::size_t>(i)].overlapped);
    if (i == 0) {
      EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_NETNAME_DELETED));
    } else {
      EXPECT_TRUE(accepts_either<DWORD>(packet.error, {ERROR_NETNAME_DELETED}, {0}, "one reset fails one recv; the others see an end"));
    }
    EXPECT_EQ(packet.bytes, 0u);
  }
}

// Started after the reset arrived: the call itself may fail, and then no packet comes.
TEST_F(Overlapped, ARecvAfterAResetFails) {
  Op& seen = start_recv(pair_.server, 10);
  set_reset_on_close(pair_.client);
  pair_.client.close();
  EXPECT_EQ(next().overlapped, &seen.overlapped);
  Op& op = try_recv(pair_.server, 10);
  if (!op.started()) {
    EXPECT_EQ(op.error, WSAECONNRESET);
    return;
  }
  const Packet packet = next();
  EXPECT_EQ(packet.overlapped, &op.overlapped);
  EXPECT_TRUE(accepts_either<DWORD>(packet.error, {ERROR_NETNAME_DELETED}, {0}, "a recv begun after the peer's reset may see an end, not 64"));
}

TEST_F(Overlapped, AResetFailsWaitingSends) {
  fill(pair_.server);
  Op& waiting = ops_.back();
  set_reset_on_close(pair_.client);
  pair_.client.close();
  Packet packet;
  do {
    packet = next();
  } while (packet.ok);
  EXPECT_EQ(packet.overlapped, &waiting.overlapped);
  EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_NETNAME_DELETED));
  EXPECT_EQ(packet.key, kKey);
}

}  // namespace
