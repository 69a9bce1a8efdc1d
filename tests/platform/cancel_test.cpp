// CancelIoEx: one operation, all, none; what it does not touch; races with completion.
#include "port_fixture.h"

#include <set>

namespace {

using namespace net;

class Cancel : public PortTest {
 protected:
  void expect_cancelled(const Op& op) {
    const Packet packet = next();
    EXPECT_EQ(packet.overlapped, &op.overlapped) << "this one should have been cancelled";
    EXPECT_FALSE(packet.ok);
    EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_OPERATION_ABORTED));
    EXPECT_EQ(packet.bytes, 0u);
    EXPECT_EQ(packet.key, kKey);
  }
};

TEST_F(Cancel, OneRecv) {
  Op& op = start_recv(pair_.server, 10);
  EXPECT_TRUE(::CancelIoEx(pair_.server.handle(), &op.overlapped));
  expect_cancelled(op);
}

TEST_F(Cancel, NothingIsLostByIt) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_TRUE(::CancelIoEx(pair_.server.handle(), &op.overlapped));
  expect_cancelled(op);
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  Op& later = start_recv(pair_.server, 10);
  expect_success(later, 5);
  EXPECT_EQ(later.text(5), "hello");
}

TEST_F(Cancel, OneOfThreeLeavesTheOthersInOrder) {
  Op& first = start_recv(pair_.server, 2);
  Op& second = start_recv(pair_.server, 2);
  Op& third = start_recv(pair_.server, 2);
  ASSERT_TRUE(::CancelIoEx(pair_.server.handle(), &second.overlapped));
  expect_cancelled(second);
  ASSERT_EQ(send_all(pair_.client, "aabb"), 4);
  expect_success(first, 2);
  expect_success(third, 2);
  EXPECT_EQ(first.text(2) + third.text(2), "aabb");
}

TEST_F(Cancel, AllOfOneSocketAndOfNoOther) {
  const Socket listening = listener();
  Pair other = connected_pair(listening);
  port_.add(other.server, 8);
  Op& kept = start_recv(other.server, 10);
  std::set<OVERLAPPED*> waiting;
  for (int i = 0; i < 5; ++i) waiting.insert(&start_recv(pair_.server, 10).overlapped);
  EXPECT_TRUE(::CancelIoEx(pair_.server.handle(), nullptr));
  for (int i = 0; i < 5; ++i) {
    const Packet packet = next();
    EXPECT_EQ(waiting.erase(packet.overlapped), 1u);
    EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_OPERATION_ABORTED));
  }
  ASSERT_EQ(send_all(other.client, "x"), 1);
  expect_success(kept, 1, 8);
}

TEST_F(Cancel, NothingPendingIsNotFound) {
  const BOOL all = ::CancelIoEx(pair_.server.handle(), nullptr);
  const DWORD error = all ? 0 : ::GetLastError();
  EXPECT_TRUE(accepts_either<DWORD>(error, {ERROR_NOT_FOUND}, {0}, "CancelIoEx of all operations succeeds where there are none"));
  OVERLAPPED never{};
  EXPECT_TRUE(win32_fails(::CancelIoEx(pair_.server.handle(), &never), ERROR_NOT_FOUND));
}

TEST_F(Cancel, AnotherOverlappedIsNotFoundAndTheWaitingOneStays) {
  Op& op = start_recv(pair_.server, 10);
  OVERLAPPED never{};
  EXPECT_TRUE(win32_fails(::CancelIoEx(pair_.server.handle(), &never), ERROR_NOT_FOUND));
  ASSERT_EQ(send_all(pair_.client, "x"), 1);
  expect_success(op, 1);
}

TEST_F(Cancel, ACompletedOneIsNotFound) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_EQ(send_all(pair_.client, "x"), 1);
  expect_success(op, 1);
  EXPECT_TRUE(win32_fails(::CancelIoEx(pair_.server.handle(), &op.overlapped), ERROR_NOT_FOUND));
}

TEST_F(Cancel, ACancelledOneIsNotFoundAgain) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_TRUE(::CancelIoEx(pair_.server.handle(), &op.overlapped));
  expect_cancelled(op);
  EXPECT_TRUE(win32_fails(::CancelIoEx(pair_.server.handle(), &op.overlapped), ERROR_NOT_FOUND));
}

TEST_F(Cancel, NeedsAnOpenSocket) {
  const SOCKET closed = tcp_socket().release();
  ASSERT_EQ(::closesocket(closed), 0);
  EXPECT_TRUE(win32_fails(::CancelIoEx(reinterpret_cast<HANDLE>(closed), nullptr), ERROR_INVALID_HANDLE));
}

TEST_F(Cancel, FromAnotherThread) {
  Op& op = start_recv(pair_.server, 10);
  BOOL cancelled = FALSE;
  std::thread([&] { cancelled = ::CancelIoEx(pair_.server.handle(), &op.overlapped); }).join();
  EXPECT_TRUE(cancelled);
  expect_cancelled(op);
}

// Waiting sends: each completes once. The one that was half sent cannot be taken back, so the bytes are not judged.
TEST_F(Cancel, WaitingSends) {
  fill(pair_.server);
  Op& last = start_send(pair_.server, pattern(100000, 1));
  ASSERT_EQ(last.error, WSA_IO_PENDING);
  EXPECT_TRUE(::CancelIoEx(pair_.server.handle(), nullptr));
  Packet packet;
  do {
    packet = next();
    EXPECT_TRUE(packet.ok || packet.error == ERROR_OPERATION_ABORTED) << packet.error;
  } while (due() > 0 && packet.overlapped != nullptr);
  EXPECT_EQ(due(), 0);
}

// The cancel and the bytes come at the same time. Whatever wins, there is one packet, and no byte is lost.
TEST_F(Cancel, AgainstArrivingBytesThereIsOnePacket) {
  int cancelled = 0;
  int received = 0;
  for (int i = 0; i < 60; ++i) {
    Op& op = start_recv(pair_.server, 1);
    Blocking sender([&] { send_all(pair_.client, "x"); });
    const bool found = ::CancelIoEx(pair_.server.handle(), &op.overlapped) != FALSE;
    const Packet packet = next();
    ASSERT_EQ(packet.overlapped, &op.overlapped);
    if (packet.ok) {
      ASSERT_EQ(packet.bytes, 1u);
      ++received;
    } else {
      ASSERT_TRUE(found) << "cancelled, although CancelIoEx said that it found nothing";
      ASSERT_EQ(packet.error, static_cast<DWORD>(ERROR_OPERATION_ABORTED));
      ++cancelled;
      sender.join();
      expect_success(start_recv(pair_.server, 1), 1);   // the byte is still there
    }
  }
  EXPECT_EQ(cancelled + received, 60);
}

}  // namespace
