// Several operations of one socket at once: order, wholeness, whose buffer it is.
#include "port_fixture.h"

namespace {

using namespace net;
using Order = PortTest;

TEST_F(Order, WaitingRecvsAreFilledInPostedOrder) {
  std::vector<Op*> recvs;
  for (int i = 0; i < 8; ++i) recvs.push_back(&start_recv(pair_.server, 4));
  ASSERT_EQ(send_all(pair_.client, "000011112222333344445555666677"), 30);
  for (int i = 0; i < 7; ++i) {
    expect_success(*recvs[static_cast<std::size_t>(i)], 4);
    EXPECT_EQ(recvs[static_cast<std::size_t>(i)]->text(4), std::string(4, static_cast<char>('0' + i)));
  }
  expect_success(*recvs[7], 2);
}

TEST_F(Order, OneByteAtATimeFillsOneRecvEach) {
  std::vector<Op*> recvs;
  for (int i = 0; i < 8; ++i) recvs.push_back(&start_recv(pair_.server, 4));
  for (std::size_t i = 0; i < 8; ++i) {
    ASSERT_EQ(send_all(pair_.client, std::string(1, static_cast<char>('a' + i))), 1);
    expect_success(*recvs[i], 1);   // before the next byte is sent: which recv takes it is certain
    EXPECT_EQ(recvs[i]->text(1), std::string(1, static_cast<char>('a' + i)));
  }
}

TEST_F(Order, RecvsStartedWhileBytesFlowKeepTheStreamsOrder) {
  const std::string sent = pattern(1024 * 1024, 8);
  Blocking sender([&] { send_all(pair_.client, sent); });
  std::string got;
  std::deque<Op*> waiting;
  while (got.size() < sent.size()) {
    while (waiting.size() < 4) waiting.push_back(&start_recv(pair_.server, 5000));
    const Packet packet = next();
    ASSERT_TRUE(packet.ok) << packet.error;
    ASSERT_EQ(packet.overlapped, &waiting.front()->overlapped) << "should have completed in posted order";
    got += waiting.front()->text(packet.bytes);
    waiting.pop_front();
  }
  EXPECT_TRUE(got == sent);
}

TEST_F(Order, SendsGoOutInPostedOrder) {
  std::string sent;
  std::vector<Op*> sends;
  for (unsigned i = 0; i < 100; ++i) {
    const std::string part = pattern(1 + 13 * i, i);
    sends.push_back(&start_send(pair_.server, part));
    sent += part;
  }
  for (Op* op : sends) expect_success(*op, op->data.size());
  EXPECT_EQ(receive(pair_.client, sent.size()).bytes, sent);
}

// N18. 64 sends of 64 KiB to a reader that does not read yet; then it reads slowly. Each send completes whole and in
// posted order. The buffer is the system's until its packet is dequeued and ours after that: it is overwritten then.
TEST_F(Order, ASlowReaderGets64SendsOf64KiBWhole) {
  constexpr std::size_t kSize = 64 * 1024;
  constexpr std::size_t kCount = 64;
  std::string sent;
  std::size_t pending = 0;
  for (unsigned i = 0; i < kCount; ++i) {
    const std::string part = pattern(kSize, i);
    if (start_send(pair_.server, part).result != 0) ++pending;
    sent += part;
  }
  EXPECT_GT(pending, 0u) << "4 MiB should not all have fitted below";
  set_nonblocking(pair_.client);
  std::string got;
  std::size_t completed = 0;
  std::vector<char> some(7000);
  const bool in_time = within_wait([&] {
    for (;;) {
      const int count = ::recv(pair_.client.get(), some.data(), static_cast<int>(some.size()), 0);
      if (count > 0) got.append(some.data(), static_cast<std::size_t>(count));
      for (Packet packet = next(0); packet.overlapped != nullptr; packet = next(0)) {
        Op& op = ops_[completed++];
        EXPECT_EQ(packet.overlapped, &op.overlapped) << "send " << completed << " should have completed next";
        EXPECT_TRUE(packet.ok) << packet.error;
        EXPECT_EQ(packet.bytes, kSize) << "a send should complete whole";
        std::fill(op.data.begin(), op.data.end(), '\xEE');
      }
      if (count <= 0) return (got.size() >= sent.size() && completed == kCount) || HasFailure();
    }
  });
  EXPECT_TRUE(in_time) << got.size() << " bytes came and " << completed << " sends completed";
  EXPECT_TRUE(got == sent) << "the bytes should have been those of each send, whole and in order";
}

// Both directions at once on one socket: neither holds up the other.
TEST_F(Order, AWaitingSendDoesNotHoldUpARecv) {
  const std::size_t filled = fill(pair_.server);
  Op& recv = start_recv(pair_.server, 5);
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  Packet packet;
  do {
    packet = next();
    ASSERT_TRUE(packet.ok) << packet.error;
  } while (packet.overlapped != &recv.overlapped);
  EXPECT_EQ(recv.text(5), "hello");
  EXPECT_EQ(receive_while_waiting(pair_.client, filled).size(), filled);
}

TEST_F(Order, ABufferIsNotTouchedAfterItsCompletion) {
  Op& first = start_recv(pair_.server, 64);
  ASSERT_EQ(send_all(pair_.client, "first"), 5);
  expect_success(first, 5);
  std::fill(first.data.begin(), first.data.end(), '\xEE');
  first.overlapped = OVERLAPPED{};
  ASSERT_EQ(send_all(pair_.client, "second"), 6);
  Op& second = start_recv(pair_.server, 64);
  expect_success(second, 6);
  EXPECT_EQ(second.text(6), "second");
  EXPECT_EQ(first.text(64), std::string(64, '\xEE'));
  EXPECT_EQ(first.overlapped.InternalHigh, 0u);
}

TEST_F(Order, ARecvWritesNothingBeyondItsBytes) {
  Op& op = start_recv(pair_.server, 64);   // 64 zero bytes
  ASSERT_EQ(send_all(pair_.client, "five!"), 5);
  expect_success(op, 5);
  EXPECT_EQ(op.text(64), "five!" + std::string(59, '\0'));
}

TEST_F(Order, OneOverlappedServesAgainAfterItsPacket) {
  Op& op = new_op(8);
  for (int i = 0; i < 100; ++i) {
    WSABUF buffer{8, op.data.data()};
    DWORD flags = 0;
    op.overlapped = OVERLAPPED{};
    op.packets_due = 1;
    const int result = ::WSARecv(pair_.server.get(), &buffer, 1, nullptr, &flags, &op.overlapped, nullptr);
    ASSERT_TRUE(result == 0 || ::WSAGetLastError() == WSA_IO_PENDING);
    ASSERT_EQ(send_all(pair_.client, "x"), 1);
    expect_success(op, 1);
  }
}

}  // namespace
