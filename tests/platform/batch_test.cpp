// GetQueuedCompletionStatusEx, and SetFileCompletionNotificationModes (no packet for a success at once).
#include "port_fixture.h"

namespace {

using namespace net;

class Batch : public PortTest {
 protected:
  // Up to `count` packets in one call. Empty on failure, with the code in error_.
  std::vector<OVERLAPPED_ENTRY> take(ULONG count, DWORD timeout = kWait) {
    std::vector<OVERLAPPED_ENTRY> entries(count);
    ULONG removed = 0;
    const BOOL ok = ::GetQueuedCompletionStatusEx(port_.get(), entries.data(), count, &removed, timeout, FALSE);
    error_ = ok ? 0 : ::GetLastError();
    entries.resize(ok ? removed : 0);
    for (const OVERLAPPED_ENTRY& entry : entries) enter(entry.lpOverlapped);
    return entries;
  }

  DWORD error_ = 0;
};

TEST_F(Batch, TakesSeveralInOrder) {
  for (ULONG_PTR i = 0; i < 10; ++i) ASSERT_TRUE(::PostQueuedCompletionStatus(port_.get(), static_cast<DWORD>(i + 1), i, nullptr));
  std::size_t seen = 0;
  for (const std::size_t expected : {4u, 4u, 2u}) {
    const auto entries = take(4);
    ASSERT_EQ(entries.size(), expected) << "all that fit should have been taken at once";
    for (const OVERLAPPED_ENTRY& entry : entries) {
      EXPECT_EQ(entry.lpCompletionKey, seen);
      EXPECT_EQ(entry.dwNumberOfBytesTransferred, seen + 1);
      EXPECT_EQ(entry.lpOverlapped, nullptr);
      ++seen;
    }
  }
}

TEST_F(Batch, ReturnsWithOneWhereMoreWouldFit) {
  ASSERT_TRUE(::PostQueuedCompletionStatus(port_.get(), 1, 2, nullptr));
  EXPECT_EQ(take(64).size(), 1u);
}

TEST_F(Batch, TimesOutWithAnError) {
  for (const DWORD timeout : {0u, 20u}) {
    EXPECT_TRUE(take(4, timeout).empty());
    EXPECT_EQ(error_, static_cast<DWORD>(WAIT_TIMEOUT));
  }
}

TEST_F(Batch, NeedsAnOpenPort) {
  Port closed;
  const HANDLE handle = closed.get();
  closed.close();
  OVERLAPPED_ENTRY entry{};
  ULONG removed = 0;
  EXPECT_TRUE(win32_fails(::GetQueuedCompletionStatusEx(handle, &entry, 1, &removed, 0, FALSE), ERROR_INVALID_HANDLE));
}

TEST_F(Batch, NeedsRoomForOne) {
  OVERLAPPED_ENTRY entry{};
  ULONG removed = 0;
  const BOOL ok = ::GetQueuedCompletionStatusEx(port_.get(), &entry, 0, &removed, 0, FALSE);
  const DWORD error = ok ? 0 : ::GetLastError();
  EXPECT_TRUE(accepts_either<DWORD>(error, {ERROR_INVALID_PARAMETER}, {0}, "GetQueuedCompletionStatusEx accepts room for none"));
}

TEST_F(Batch, IsEndedByAPost) {
  std::size_t count = 0;
  Blocking call([&] { count = take(4).size(); });
  ASSERT_TRUE(::PostQueuedCompletionStatus(port_.get(), 0, 1, nullptr));
  call.join();
  EXPECT_EQ(count, 1u);
}

TEST_F(Batch, CarriesBytesKeyAndOverlapped) {
  Op& recv = start_recv(pair_.server, 10);
  Op& send = start_send(pair_.server, "abc");
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  int seen = 0;
  while (seen < 2) {
    const auto entries = take(8);
    ASSERT_FALSE(entries.empty());
    for (const OVERLAPPED_ENTRY& entry : entries) {
      const bool is_recv = entry.lpOverlapped == &recv.overlapped;
      EXPECT_TRUE(is_recv || entry.lpOverlapped == &send.overlapped);
      EXPECT_EQ(entry.dwNumberOfBytesTransferred, is_recv ? 5u : 3u);
      EXPECT_EQ(entry.lpCompletionKey, kKey);
      EXPECT_EQ(entry.lpOverlapped->Internal, 0u);
      ++seen;
    }
  }
}

// A failed operation does not fail the call: its status is in the OVERLAPPED.
TEST_F(Batch, AFailedOperationIsAnEntryLikeAnyOther) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_TRUE(::CancelIoEx(pair_.server.handle(), &op.overlapped));
  const auto entries = take(8);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].lpOverlapped, &op.overlapped);
  EXPECT_EQ(entries[0].dwNumberOfBytesTransferred, 0u);
  EXPECT_EQ(op.overlapped.Internal, 0xC0000120u) << "STATUS_CANCELLED";
}

class SkipOnSuccess : public PortTest {
 protected:
  void SetUp() override {
    PortTest::SetUp();
    ASSERT_TRUE(::SetFileCompletionNotificationModes(pair_.server.handle(), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
  }
  // A success at once brings no packet.
  static bool at_once(Op& op) {
    if (op.result == 0) op.packets_due = 0;
    return op.result == 0;
  }
};

TEST_F(SkipOnSuccess, ASuccessAtOnceQueuesNothing) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(send_all(pair_.client, "hello"), 5);
    Op& op = start_recv(pair_.server, 5);
    if (!at_once(op)) {
      expect_success(op, 5);   // the bytes were not there yet
      continue;
    }
    EXPECT_EQ(op.bytes, 5u);
    EXPECT_EQ(op.text(5), "hello");
    expect_empty(port_.get());
  }
}

TEST_F(SkipOnSuccess, ASendThatFitsQueuesNothing) {
  Op& op = start_send(pair_.server, "hello");
  ASSERT_TRUE(at_once(op)) << "five bytes should have been taken at once";
  EXPECT_EQ(op.bytes, 5u);
  expect_empty(port_.get());
  EXPECT_EQ(receive(pair_.client, 5).bytes, "hello");
}

TEST_F(SkipOnSuccess, WhatWaitedQueuesItsPacket) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_EQ(op.error, WSA_IO_PENDING);
  ASSERT_EQ(send_all(pair_.client, "x"), 1);
  expect_success(op, 1);
}

TEST_F(SkipOnSuccess, WhatFailedLaterQueuesItsPacket) {
  Op& op = start_recv(pair_.server, 10);
  ASSERT_TRUE(::CancelIoEx(pair_.server.handle(), &op.overlapped));
  const Packet packet = next();
  EXPECT_EQ(packet.overlapped, &op.overlapped);
  EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_OPERATION_ABORTED));
}

TEST_F(SkipOnSuccess, OtherSocketsOfThePortAreNotTouched) {
  Pair other = connected_pair();
  port_.add(other.server, 8);
  expect_success(start_send(other.server, "hello"), 5, 8);
}

TEST_F(SkipOnSuccess, PostedPacketsAreNotTouched) {
  ASSERT_TRUE(::PostQueuedCompletionStatus(port_.get(), 1, 2, nullptr));
  EXPECT_EQ(next().key, 2u);
}

TEST_F(SkipOnSuccess, MayBeAskedBeforeTheAssociation) {
  Pair other = connected_pair();
  ASSERT_TRUE(::SetFileCompletionNotificationModes(other.server.handle(), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
  port_.add(other.server, 8);
  EXPECT_TRUE(at_once(start_send(other.server, "hello")));
  expect_empty(port_.get());
}

TEST_F(SkipOnSuccess, NeedsAnOpenSocket) {
  const SOCKET closed = tcp_socket().release();
  ASSERT_EQ(::closesocket(closed), 0);
  EXPECT_TRUE(win32_fails(::SetFileCompletionNotificationModes(reinterpret_cast<HANDLE>(closed), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS),
                          ERROR_INVALID_HANDLE));
}

TEST_F(SkipOnSuccess, AnUnknownModeIsRefused) {
  const BOOL ok = ::SetFileCompletionNotificationModes(pair_.server.handle(), 0x80);
  const DWORD error = ok ? 0 : ::GetLastError();
  EXPECT_TRUE(accepts_either<DWORD>(error, {ERROR_INVALID_PARAMETER}, {0}, "SetFileCompletionNotificationModes accepts unknown modes"));
}

}  // namespace
