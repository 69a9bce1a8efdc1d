// Many threads on one port, and many on one socket.
#include "port_fixture.h"

#include <atomic>

namespace {

using namespace net;

// The key that ends a worker: one is posted for each, as a server does.
constexpr ULONG_PTR kQuit = ~ULONG_PTR{0};

// Threads that dequeue until each has got its quit packet. Give `handle` nothing that is not thread-safe.
class Workers {
 public:
  template <class Handle>
  Workers(HANDLE port, int count, Handle handle) : port_(port), count_(count) {
    for (int i = 0; i < count; ++i) {
      threads_.push_back(std::make_unique<Blocking>([this, i, handle] {
        for (;;) {
          const Packet packet = dequeue(port_, kLongWait);
          if (!packet.ok && packet.overlapped == nullptr) {
            ++starved_;   // the wait itself failed: so has the test, and the worker ends
            return;
          }
          if (packet.key == kQuit) return;
          handle(i, packet);
        }
      }));
    }
  }
  ~Workers() { stop(); }

  void stop() {
    if (threads_.empty()) return;
    for (int i = 0; i < count_; ++i) EXPECT_TRUE(::PostQueuedCompletionStatus(port_, 0, kQuit, nullptr));
    threads_.clear();
    EXPECT_EQ(starved_, 0) << "a worker should have got its quit packet";
  }

 private:
  HANDLE port_;
  int count_;
  std::atomic<int> starved_{0};
  std::vector<std::unique_ptr<Blocking>> threads_;
};

TEST(Threads, EachPostedPacketIsTakenOnce) {
  constexpr std::size_t kPosters = 4;
  constexpr std::size_t kEach = 5000;
  Port port;
  std::vector<std::atomic<int>> taken(kPosters * kEach);
  {
    Workers workers(port.get(), 4, [&](int, const Packet& packet) { ++taken[packet.key]; });
    std::vector<std::unique_ptr<Blocking>> posters;
    for (std::size_t p = 0; p < kPosters; ++p) {
      posters.push_back(std::make_unique<Blocking>([&, p] {
        for (std::size_t i = 0; i < kEach; ++i) ::PostQueuedCompletionStatus(port.get(), 0, p * kEach + i, nullptr);
      }));
    }
    posters.clear();
  }
  for (std::size_t i = 0; i < taken.size(); ++i) ASSERT_EQ(taken[i], 1) << "packet " << i;
}

TEST(Threads, OnePostersPacketsStayInOrderForOneTaker) {
  constexpr std::size_t kPosters = 4;
  constexpr std::size_t kEach = 2500;
  Port port;
  std::vector<std::unique_ptr<Blocking>> posters;
  for (std::size_t p = 0; p < kPosters; ++p) {
    posters.push_back(std::make_unique<Blocking>([&, p] {
      for (std::size_t i = 0; i < kEach; ++i) ::PostQueuedCompletionStatus(port.get(), static_cast<DWORD>(i), p, nullptr);
    }));
  }
  std::vector<DWORD> next(kPosters);
  for (std::size_t i = 0; i < kPosters * kEach; ++i) {
    const Packet packet = dequeue(port.get());
    ASSERT_TRUE(packet.ok);
    ASSERT_EQ(packet.bytes, next[packet.key]++);
  }
}

// One packet ends one worker, whatever the concurrency value. (Windows wakes the last waiter first, Wine the first.)
TEST(Threads, OneQuitPacketEndsOneWorker) {
  for (const DWORD concurrency : {0u, 1u, 8u}) {
    Port port(concurrency);
    std::atomic<int> handled{0};
    Workers workers(port.get(), 8, [&](int, const Packet&) { ++handled; });
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), 0, 1, nullptr));
    workers.stop();   // posted after them, so dequeued after them
    EXPECT_EQ(handled, 100);
    expect_empty(port.get());
  }
}

// With a concurrency of 1 a worker that blocks must not keep the packets from the others.
TEST(Threads, ABlockedWorkerDoesNotStopTheOthers) {
  Port port(1);
  Port gate;
  std::atomic<bool> released{false};
  {
    Workers workers(port.get(), 2, [&](int, const Packet& packet) {
      if (packet.key == 1) released = dequeue(gate.get()).ok != FALSE;   // waits for the second packet's handler
      if (packet.key == 2) ::PostQueuedCompletionStatus(gate.get(), 0, 0, nullptr);
    });
    ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), 0, 1, nullptr));
    ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), 0, 2, nullptr));
  }
  EXPECT_TRUE(released);
}

// An echo server: four workers, one recv per client at a time, sixteen clients that check every byte.
class EchoClient {
 public:
  explicit EchoClient(Pair pair) : pair_(std::move(pair)) {}
  const Socket& client() const { return pair_.client; }
  const Socket& server() const { return pair_.server; }

  bool recv() {
    WSABUF buffer{sizeof data_, data_};
    DWORD flags = 0;
    in_ = OVERLAPPED{};
    return started(::WSARecv(pair_.server.get(), &buffer, 1, nullptr, &flags, &in_, nullptr));
  }
  bool send(DWORD size) {
    WSABUF buffer{size, data_};
    out_ = OVERLAPPED{};
    return started(::WSASend(pair_.server.get(), &buffer, 1, nullptr, 0, &out_, nullptr));
  }
  // False when the client is done: its end was seen.
  bool handle(const Packet& packet) {
    if (packet.overlapped == &out_) return recv();
    return packet.ok && packet.bytes > 0 && send(packet.bytes);
  }

 private:
  static bool started(int result) { return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING; }

  Pair pair_;
  OVERLAPPED in_{};
  OVERLAPPED out_{};
  char data_[3000];
};

TEST(Threads, SixteenEchoClientsUnderFourWorkers) {
  constexpr std::size_t kClients = 16;
  Port port;
  const Socket listening = listener();
  std::vector<std::unique_ptr<EchoClient>> clients;
  std::vector<std::string> sent(kClients);
  std::vector<std::string> got(kClients);
  std::atomic<int> done{0};
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<EchoClient>(connected_pair(listening)));
    port.add(clients[i]->server(), i);
    sent[i] = pattern(50000, static_cast<unsigned>(i));
  }
  {
    Workers workers(port.get(), 4, [&](int, const Packet& packet) {
      if (!clients[packet.key]->handle(packet)) ++done;
    });
    for (const auto& client : clients) ASSERT_TRUE(client->recv());
    for (std::size_t i = 0; i < kClients; ++i) {   // 50,000 bytes fit below: this cannot block
      ASSERT_EQ(send_all(clients[i]->client(), sent[i]), 50000);
      ASSERT_EQ(::shutdown(clients[i]->client().get(), SD_SEND), 0);
    }
    for (std::size_t i = 0; i < kClients; ++i) got[i] = receive(clients[i]->client(), 50000).bytes;
    EXPECT_TRUE(within_wait([&] { return done == static_cast<int>(kClients); })) << done << " clients ended";
  }
  for (std::size_t i = 0; i < kClients; ++i) EXPECT_TRUE(got[i] == sent[i]) << "client " << i;
}

using OneSocket = PortTest;

// What a thread started outlives it: an accept thread may end while its first recvs wait.
TEST_F(OneSocket, ARecvOutlivesTheThreadThatStartedIt) {
  for (int i = 0; i < 50; ++i) {
    Op* op = nullptr;
    std::thread([&] { op = &start_recv(pair_.server, 4); }).join();
    ASSERT_EQ(send_all(pair_.client, "x"), 1);
    expect_success(*op, 1);
  }
}

// N18: four threads send packets on one socket. Any order of packets is right; a mixed one is not.
TEST_F(OneSocket, PacketsOfFourSendersAreNeverMixed) {
  constexpr std::size_t kEach = 200;   // 8 MB: more than fits below, so they are still sending while we read
  constexpr std::size_t kSize = 10000;
  struct Send {
    OVERLAPPED overlapped{};
    std::string bytes;
  };
  std::deque<Send> sends(4 * kEach);
  for (std::size_t i = 0; i < sends.size(); ++i) sends[i].bytes = std::string(kSize, static_cast<char>('A' + i / kEach));
  std::atomic<int> failed{0};
  std::atomic<bool> finished{false};
  std::vector<std::unique_ptr<Blocking>> senders;
  for (std::size_t t = 0; t < 4; ++t) {
    senders.push_back(std::make_unique<Blocking>([&, t] {
      for (std::size_t i = 0; i < kEach; ++i) {
        Send& send = sends[t * kEach + i];
        WSABUF buffer{kSize, send.bytes.data()};
        if (::WSASend(pair_.server.get(), &buffer, 1, nullptr, 0, &send.overlapped, nullptr) != 0 && ::WSAGetLastError() != WSA_IO_PENDING) ++failed;
        std::this_thread::yield();
      }
      // Wine 8.0 sometimes never completes a send whose thread has ended, so these stay.
      while (!finished) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }));
  }
  std::atomic<std::size_t> completed{0};
  std::string got;
  {
    Workers workers(port_.get(), 2, [&](int, const Packet& packet) { completed += packet.ok && packet.bytes == kSize; });
    got = receive(pair_.client, sends.size() * kSize).bytes;
    EXPECT_TRUE(within_wait([&] { return completed == sends.size(); })) << completed << " sends completed whole";
  }
  finished = true;
  senders.clear();
  ASSERT_EQ(failed, 0);
  for (std::size_t i = 0; i < sends.size(); ++i) {
    EXPECT_EQ(sends[i].overlapped.Internal, 0u) << "send " << i << " should have completed";
    EXPECT_EQ(sends[i].overlapped.InternalHigh, kSize) << "send " << i;
  }
  ASSERT_EQ(got.size(), sends.size() * kSize);
  for (std::size_t at = 0; at < got.size(); at += kSize) {
    ASSERT_EQ(got.substr(at, kSize), std::string(kSize, got[at])) << "another packet's bytes stand in this one";
  }
}

}  // namespace
