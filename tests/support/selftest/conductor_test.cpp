// The conductor: a seed is an interleaving, and it can be played again.
#include "conductor.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "interrupted.h"
#include "net.h"
#include "seam.h"
#include "story.h"

namespace test {
namespace {

// A small echo server of plain calls; its mutex is held during each WSASend.
class Echo {
 public:
  struct Operation {
    OVERLAPPED overlapped{};
    WSABUF wsabuf{};
    bool is_send = false;
    std::size_t client = 0;
    char bytes[256];
  };
  explicit Echo(std::size_t clients) {
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 16);
    for (std::size_t i = 0; i < clients; ++i) {
      peers.push_back(std::make_unique<TestClient>(listener_.port));
      sockets_.push_back(listener_.accept());
      ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(sockets_[i].get()), port_, i, 0);
      receive(*new Operation, i);
    }
  }
  void start(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) {
      threads_.push_back(std::make_unique<Background>("a worker", [this] { work(); }));
    }
  }
  ~Echo() {
    for (std::size_t i = 0; i < threads_.size(); ++i) ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
    threads_.clear();
    for (auto& socket : sockets_) socket.close();
    for (; receives_ > 0; --receives_) {
      DWORD bytes = 0;
      ULONG_PTR key = 0;
      OVERLAPPED* overlapped = nullptr;
      ::GetQueuedCompletionStatus(port_, &bytes, &key, &overlapped, 5000);
      if (overlapped != nullptr) delete CONTAINING_RECORD(overlapped, Operation, overlapped);
    }
    ::CloseHandle(port_);
  }
  std::vector<std::unique_ptr<TestClient>> peers;
  std::vector<std::size_t> order;  // of the clients that were served; protected by mutex_

 private:
  void receive(Operation& op, std::size_t client) {
    op.overlapped = {};
    op.is_send = false;
    op.client = client;
    op.wsabuf = {sizeof op.bytes, op.bytes};
    DWORD flags = 0;
    ++receives_;
    ::WSARecv(sockets_[client].get(), &op.wsabuf, 1, nullptr, &flags, &op.overlapped, nullptr);
  }
  void work() {
    for (;;) {
      DWORD bytes = 0;
      ULONG_PTR key = 0;
      OVERLAPPED* overlapped = nullptr;
      ::GetQueuedCompletionStatus(port_, &bytes, &key, &overlapped, INFINITE);
      if (overlapped == nullptr) return;
      Operation* op = CONTAINING_RECORD(overlapped, Operation, overlapped);
      if (op->is_send) {
        delete op;
        continue;
      }
      --receives_;
      auto* reply = new Operation;
      reply->is_send = true;
      reply->wsabuf = {bytes, reply->bytes};
      std::memcpy(reply->bytes, op->bytes, bytes);
      {
        std::lock_guard lock(mutex_);
        order.push_back(op->client);
        ::WSASend(sockets_[op->client].get(), &reply->wsabuf, 1, nullptr, 0, &reply->overlapped, nullptr);
      }
      receive(*op, op->client);
    }
  }
  Listener listener_;
  HANDLE port_;
  std::vector<lab::UniqueSocket> sockets_;
  std::atomic<int> receives_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Background>> threads_;
};

struct Played {
  std::string trace;
  std::vector<std::size_t> order;
};

Played play(std::uint64_t seed) {
  Played played;
  Echo server(3);
  Conductor conductor(seed);  // ends before the server does: from then on everybody runs freely
  server.start(3);
  conductor.wait_for_threads(3);
  for (unsigned i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) {
      conductor.act(i, [&, i] { server.peers[i]->send("hello " + std::to_string(i)); });
    }
  }
  conductor.play();
  for (unsigned i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) check_equal("the echo", server.peers[i]->receive(7), "hello " + std::to_string(i));
  }
  played.trace = conductor.trace();
  played.order = server.order;
  return played;
}

LAB_TEST(Conductor, TheSameSeedIsTheSameInterleaving, "-", "tests/support/README.md") {
  std::set<std::string> traces;
  std::set<std::vector<std::size_t>> orders;
  const unsigned seeds = slowness() > 1 ? 4 : 25;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    begin_seed(seed);
    const Played first = play(seed);
    begin_seed(seed);
    const Played again = play(seed);
    check_equal("what was decided", again.trace, first.trace);
    traces.insert(first.trace);
    orders.insert(first.order);
  }
  check("other seeds decide otherwise", traces.size() == seeds);
  check("the clients are served in other orders", orders.size() > seeds / 2);
}

LAB_TEST(Conductor, ACallThatWaitsForAnotherIsPlayed, "-", "tests/support/README.md") {
  for_each_seed(10, [](std::uint64_t seed) {
    Conductor conductor(seed);
    const HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 4);
    std::mutex mutex;
    int calls = 0;
    for (int i = 0; i < 3; ++i) {
      conductor.call("a caller", [&] {
        for (int k = 0; k < 3; ++k) {
          std::lock_guard lock(mutex);
          ++calls;
          ::PostQueuedCompletionStatus(port, 0, 1, nullptr);  // the others wait for the lock meanwhile
        }
      });
    }
    conductor.play();
    check_equal("the calls", calls, 9);
    ::CloseHandle(port);
  });
}

LAB_TEST(Conductor, AFailedCheckReachesTheTest, "-", "tests/support/README.md") {
  bool thrown = false;
  try {
    Conductor conductor(1);
    conductor.call("a caller", [] { fail("as it should"); });
    conductor.play();
  } catch (const Unmet&) {
    forget_failure();
    thrown = true;
  }
  check("play throws what the call threw", thrown);
}

LAB_TEST(Conductor, WhatIsNotHandedOutStaysForLater, "-", "tests/support/README.md") {
  const HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 4);
  {
    Conductor conductor(1);
    for (ULONG_PTR i = 1; i <= 3; ++i) ::PostQueuedCompletionStatus(port, 0, i, nullptr);
    conductor.play();  // nobody waits; the packets are in its hands
  }
  for (ULONG_PTR i = 1; i <= 3; ++i) {
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    check("a packet is there", ::GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 0) != FALSE);
    check_equal("its key", key, i);
  }
  ::CloseHandle(port);
}

LAB_TEST(Conductor, WaitsForALockOfAHelperThread, "-", "tests/support/README.md") {
  std::mutex mutex;
  std::atomic<bool> held{false}, asked{false}, got{false};
  STEP("a helper thread, which makes no call, holds a mutex for a while");
  Background helper("the helper", [&] {
    std::lock_guard lock(mutex);
    held = true;
    eventually([&] { return asked.load(); });
    eventually([&] { return got.load(); }, std::chrono::milliseconds(30));
  });
  check_eventually("the helper holds the mutex", [&] { return held.load(); });
  STEP("a thread of the code under test locks it, too");
  Conductor conductor(1);
  conductor.call("a thread that locks", [&] {
    yield_point("before the lock");
    asked = true;
    std::lock_guard lock(mutex);
    got = true;
  });
  conductor.play();
  check("it has the mutex in the end", got);
}

LAB_TEST(Conductor, WaitsForAHelperThatBegins, "-", "tests/support/README.md") {
  bool ended = false;
  STEP("a thread of the code under test starts a helper and waits for it; the helper comes to its first call late");
  Conductor conductor(1);
  conductor.call("a thread that starts a helper", [&] {
    yield_point("before the helper");
    std::thread helper([&] {
      eventually([] { return false; }, std::chrono::milliseconds(30));
      yield_point("in the helper");
    });
    helper.join();
    ended = true;
  });
  conductor.play();
  check("the thread that waits for the helper has ended", ended);
}

// Two threads count to two, in the way that is given.
int count_to_two(std::atomic<int>& number, const std::function<void()>& add_one) {
  return at_each_instruction({"an addition", "another one", [&] { number = 0; }, add_one, add_one,
                              [&] { check_equal("the number", number.load(), 2); }});
}

#if defined(__linux__) && defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
LAB_TEST(Encounter, FindsWhatIsNotOneStep, "-", "tests/support/README.md") {
  std::atomic<int> number{0};
  bool found = false;
  try {
    count_to_two(number, [&] { number = number + 1; });
  } catch (const Unmet&) {
    forget_failure();
    found = true;
  }
  check("the lost addition was found", found);
}
#endif

LAB_TEST(Encounter, LetsRightCodePass, "-", "tests/support/README.md") {
  std::atomic<int> number{0};
  STEP("one step");
  check("there are some rounds", count_to_two(number, [&] { ++number; }) > 3);
  STEP("a mutex, for which the other thread sleeps");
  std::mutex mutex;
  count_to_two(number, [&] {
    std::lock_guard lock(mutex);
    number = number + 1;
  });
  STEP("a lock for which the other thread turns in a circle");
  std::atomic_flag taken;
  count_to_two(number, [&] {
    while (taken.test_and_set()) {
    }
    number = number + 1;
    taken.clear();
  });
}

// A helper thread that adds one whenever it is asked to, by the function that its callers use, too.
class Helper {
 public:
  explicit Helper(std::function<void()> add) : add_(std::move(add)) {}
  ~Helper() { ends_ = true; }
  void add_and_wait() {
    const int mine = ++asked_;
    while (done_ < mine) std::this_thread::yield();
  }

 private:
  void run() {
    while (!ends_) {
      if (done_ == asked_) {
        std::this_thread::yield();
        continue;
      }
      add_();
      ++done_;
    }
  }
  const std::function<void()> add_;
  std::atomic<int> asked_{0}, done_{0};
  std::atomic<bool> ends_{false};
  Background thread_{"the helper", [this] { run(); }};  // last: it uses the others
};

// One thread waits for a helper that runs `add` on a number of its own, then runs it itself, while another one runs it.
void add_after_a_helper(const std::function<void(std::atomic<int>&)>& add) {
  std::atomic<int> number{0}, helped{0};
  Helper helper([&] { add(helped); });
  at_each_instruction({"an addition after a helper's", "another one", [&] { number = 0; },
                       [&] {
                         helper.add_and_wait();
                         add(number);
                       },
                       [&] { add(number); }, [&] { check_equal("the number", number.load(), 2); }});
}

LAB_TEST(Encounter, AHelperStepsOverTheBreakpoint, "-", "tests/support/README.md") {
  STEP("the helper runs the code in which the other thread is to be suspended");
  add_after_a_helper([](std::atomic<int>& number) { ++number; });
#if defined(__linux__) && defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  STEP("the same with an addition in two steps: after the helper, the breakpoint is still there");
  bool found = false;
  try {
    add_after_a_helper([](std::atomic<int>& number) { number = number + 1; });
  } catch (const Unmet&) {
    forget_failure();
    found = true;
  }
  check("the lost addition is found", found);
#endif
}

LAB_TEST(Encounter, ThreadsBeginMeanwhile, "-", "tests/support/README.md") {
  std::atomic<int> number{0};
  const auto add_on_two_threads = [&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back([&, i] { number += i; });
    for (std::thread& thread : threads) thread.join();
  };
  check("there are some rounds", count_to_two(number, add_on_two_threads) > 3);
}

LAB_TEST(Encounter, WhatTheOtherThreadThrowsComes, "-", "tests/support/README.md") {
  bool came = false;
  try {
    at_each_instruction({"nothing", "a check that fails", [] {}, [] {}, [] { fail("as it should"); }, [] {}});
  } catch (const Unmet&) {
    forget_failure();
    came = true;
  }
  check("it came", came);
}

}  // namespace
}  // namespace test
