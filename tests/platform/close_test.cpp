// closesocket and CloseHandle while operations are pending.
#include "port_fixture.h"

#include <atomic>

namespace {

using namespace net;

class CloseInFlight : public PortTest {
 protected:
  // The failed packet of an operation whose socket was closed here.
  Packet expect_closed_locally(ULONG_PTR key = kKey) {
    const Packet packet = next();
    EXPECT_NE(packet.overlapped, nullptr) << "a pending operation should have completed when its socket was closed";
    EXPECT_TRUE(closed_locally(packet));
    EXPECT_EQ(packet.key, key);
    return packet;
  }
};

TEST_F(CloseInFlight, AWaitingRecvFails) {
  Op& op = start_recv(pair_.server, 10);
  pair_.server.close();
  EXPECT_EQ(expect_closed_locally().overlapped, &op.overlapped);
  EXPECT_NE(op.overlapped.Internal, 0u);
}

TEST_F(CloseInFlight, EveryWaitingRecvFails) {
  for (int i = 0; i < 10; ++i) start_recv(pair_.server, 10);
  pair_.server.close();
  for (int i = 0; i < 10; ++i) expect_closed_locally();
  EXPECT_EQ(due(), 0);
}

TEST_F(CloseInFlight, WaitingSendsEndOneWayOrTheOther) {
  fill(pair_.server);
  start_send(pair_.server, pattern(100000, 1));
  pair_.server.close();
  while (due() > 0 && !HasFailure()) {
    const Packet packet = next();
    ASSERT_NE(packet.overlapped, nullptr) << "a pending send should have completed when its socket was closed";
    if (!packet.ok) { EXPECT_TRUE(closed_locally(packet)); }
  }
}

TEST_F(CloseInFlight, OnlyThatSocketsOperationsFail) {
  Pair other = connected_pair();
  port_.add(other.server, 8);
  Op& kept = start_recv(other.server, 10);
  start_recv(pair_.server, 10);
  pair_.server.close();
  expect_closed_locally();
  ASSERT_EQ(send_all(other.client, "x"), 1);
  expect_success(kept, 1, 8);
}

TEST_F(CloseInFlight, FromAnotherThreadWhileOneWaits) {
  Op& op = start_recv(pair_.server, 10);
  Packet packet;
  Blocking waiter([&] { packet = dequeue(port_.get(), kLongWait); });
  std::thread([&] { pair_.server.close(); }).join();
  waiter.join();
  enter(packet.overlapped);
  EXPECT_EQ(packet.overlapped, &op.overlapped);
  EXPECT_TRUE(closed_locally(packet));
}

TEST_F(CloseInFlight, ThePacketsOfFinishedOperationsStay) {
  ASSERT_EQ(send_all(pair_.client, "hello"), 5);
  Op& recv = start_recv(pair_.server, 5);
  Op& send = start_send(pair_.server, "answer");
  expect_success(recv, 5);
  pair_.server.close();   // the send's packet is queued and not yet dequeued
  expect_success(send, 6);
  const Received received = receive(pair_.client, 100);
  EXPECT_EQ(received.bytes, "answer") << "what a finished send took goes out before the end";
  EXPECT_EQ(received.end, 0);
}

TEST_F(CloseInFlight, ThePeerSeesTheEnd) {
  start_recv(pair_.server, 10);
  pair_.server.close();
  expect_closed_locally();
  EXPECT_EQ(receive(pair_.client, 1).end, 0);
}

TEST_F(CloseInFlight, WithLingerZeroThePeerSeesAReset) {
  Op& op = start_recv(pair_.server, 10);
  set_reset_on_close(pair_.server);
  port_.add(pair_.client, 8);
  Op& peer = start_recv(pair_.client, 10);
  pair_.server.close();
  for (int i = 0; i < 2; ++i) {
    const Packet packet = next();
    if (packet.overlapped == &peer.overlapped) {
      EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_NETNAME_DELETED));
      EXPECT_EQ(packet.key, 8u);
    } else {
      EXPECT_EQ(packet.overlapped, &op.overlapped);
      EXPECT_TRUE(closed_locally(packet));
    }
  }
}

// A server that ends: a hundred clients, each with a recv pending, closed while two workers dequeue.
TEST_F(CloseInFlight, AHundredSocketsUnderTwoWorkers) {
  const Socket listening = listener(128);
  std::vector<Socket> clients;
  for (int i = 0; i < 100; ++i) {
    Pair pair = connected_pair(listening);
    port_.add(pair.server, static_cast<ULONG_PTR>(i));
    start_recv(pair.server, 10);
    clients.push_back(std::move(pair.client));
    others_.push_back(std::move(pair.server));
  }
  std::atomic<int> left{100};
  std::vector<Packet> packets[2];
  {
    const auto work = [&](std::vector<Packet>& mine) {
      while (left > 0) {
        const Packet packet = dequeue(port_.get(), 50);   // short: the other worker may take the last one
        if (packet.overlapped == nullptr) continue;
        mine.push_back(packet);
        --left;
      }
    };
    Blocking first([&] { work(packets[0]); });
    Blocking second([&] { work(packets[1]); });
    others_.clear();
  }
  std::vector<int> per_key(100);
  for (const std::vector<Packet>& list : packets) {
    for (const Packet& packet : list) {
      enter(packet.overlapped);
      ++per_key[packet.key];
      EXPECT_FALSE(packet.ok);
    }
  }
  EXPECT_EQ(per_key, std::vector<int>(100, 1));
}

// The port's handle goes first. Sockets keep working without it, and closing them is safe.
TEST_F(CloseInFlight, ThePortMayBeClosedFirst) {
  start_recv(pair_.server, 10);
  start_send(pair_.server, "bytes");
  port_.close();
  EXPECT_EQ(receive(pair_.client, 5).bytes, "bytes");
  pair_.server.close();
  EXPECT_EQ(receive(pair_.client, 1).end, 0);
}

// A new socket may get the number of a closed one. It must not inherit anything from it.
TEST_F(CloseInFlight, AReusedNumberIsANewSocket) {
  for (int i = 0; i < 50; ++i) {
    Pair pair = connected_pair();
    port_.add(pair.server, static_cast<ULONG_PTR>(100 + i));
    Op& op = start_recv(pair.server, 4);
    if (i % 2 == 0) {
      ASSERT_EQ(send_all(pair.client, "x"), 1);
      expect_success(op, 1, static_cast<ULONG_PTR>(100 + i));
    } else {
      pair.server.close();
      EXPECT_EQ(expect_closed_locally(static_cast<ULONG_PTR>(100 + i)).overlapped, &op.overlapped);
    }
  }
}

TEST_F(CloseInFlight, ManySocketsComeAndGo) {
  const Socket listening = listener();
  for (int i = 0; i < 300; ++i) {
    Pair pair = connected_pair(listening);
    port_.add(pair.server, 1);
    start_recv(pair.server, 16);
    if (i % 3 == 0) set_reset_on_close(pair.client);
    if (i % 2 == 0) pair.client.close();
    pair.server.close();
    ASSERT_NE(next().overlapped, nullptr);
  }
  EXPECT_EQ(due(), 0);
}

}  // namespace
