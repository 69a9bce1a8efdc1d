// The seam: it sees every call but the harness's own, lets calls fail, and knows when a rule is broken.
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

#include "call_rules.h"
#include "net.h"
#include "seam.h"
#include "story.h"

namespace test {
namespace {

struct Operation {
  OVERLAPPED overlapped;
  WSABUF wsabuf;
  char bytes[64];
  void make_new() {
    *this = {};
    wsabuf = {sizeof bytes, bytes};
  }
};

// A server with one client, written down in plain calls. What a test does with it may be wrong.
class Seam : public ::testing::Test {
 protected:
  Seam() {
    for (Operation& op : ops_) op.make_new();
    print_broken_rules(false);
    begin_watch();
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    peer_ = std::make_unique<TestClient>(listener_.port);
    socket_ = listener_.accept().release();
  }
  ~Seam() override {
    if (open_) close();
    ::CloseHandle(port_);
    end_watch(false);
    print_broken_rules(true);
  }
  void associate() {
    ASSERT_EQ(::CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket_), port_, 7, 0), port_);
  }
  bool receive(Operation& op) {
    DWORD flags = 0;
    return ::WSARecv(socket_, &op.wsabuf, 1, nullptr, &flags, &op.overlapped, nullptr) == 0 ||
           ::WSAGetLastError() == WSA_IO_PENDING;
  }
  bool send(Operation& op) {
    return ::WSASend(socket_, &op.wsabuf, 1, nullptr, 0, &op.overlapped, nullptr) == 0 ||
           ::WSAGetLastError() == WSA_IO_PENDING;
  }
  OVERLAPPED* take(DWORD* bytes = nullptr, DWORD milliseconds = 5000) {
    DWORD count = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    ::GetQueuedCompletionStatus(port_, bytes != nullptr ? bytes : &count, &key, &overlapped, milliseconds);
    return overlapped;
  }
  void close() {
    open_ = false;
    ::closesocket(socket_);
  }
  void expect_broken(const std::string& rule) {
    EXPECT_EQ(broken_rule().rfind("rule: " + rule + " (N", 0), 0u) << "it was: " << broken_rule();
  }
  std::string at_the_end() {
    ::CloseHandle(port_);
    const std::string line = end_watch(true);
    begin_watch();
    port_ = nullptr;
    return line;
  }

  Listener listener_;
  std::unique_ptr<TestClient> peer_;
  HANDLE port_ = nullptr;
  SOCKET socket_ = INVALID_SOCKET;
  bool open_ = true;
  // In static memory: a test that is wrong on purpose must not corrupt another one's.
  static inline std::array<Operation, 4> ops_;
};

class SeamWithPort : public Seam {
 protected:
  SeamWithPort() { associate(); }
};

TEST_F(SeamWithPort, ARightProgramBreaksNoRule) {
  ASSERT_TRUE(receive(ops_[0]));
  for (int i = 0; i < 3; ++i) {
    peer_->send("hello");
    DWORD bytes = 0;
    ASSERT_EQ(take(&bytes), &ops_[0].overlapped);
    EXPECT_EQ(std::string(ops_[0].bytes, bytes), "hello");
    ops_[1].make_new();
    std::memcpy(ops_[1].bytes, "news", 4);
    ops_[1].wsabuf.len = 4;
    ASSERT_TRUE(send(ops_[1]));
    ASSERT_EQ(take(), &ops_[1].overlapped);
    EXPECT_EQ(peer_->receive(4), "news");
    ops_[0].overlapped = {};
    ASSERT_TRUE(receive(ops_[0]));
  }
  close();
  ASSERT_EQ(take(), &ops_[0].overlapped);
  EXPECT_EQ(broken_rule(), "");
  EXPECT_EQ(at_the_end(), "");
}

TEST_F(SeamWithPort, SeesTheCallsButNotOurOwn) {
  const std::size_t before = count_of(Call::WSARecv);
  ASSERT_TRUE(receive(ops_[0]));
  EXPECT_EQ(count_of(Call::WSARecv), before + 1);
  EXPECT_EQ(count_of(Call::WSARecv, socket_), 1u);
  {
    const Unwatched mine;
    peer_->send("x");
    char byte = 0;
    ::recv(peer_->socket(), &byte, 1, 0);
    ::shutdown(socket_, SD_SEND);
  }
  EXPECT_EQ(count_of(Call::shutdown), 0u);
  EXPECT_EQ(count_of(Call::recv), 0u);
  EXPECT_EQ(calls_on(socket_), (std::vector<std::string>{"CreateIoCompletionPort", "WSARecv"}));
  take();
}

TEST_F(SeamWithPort, CallsFailAsTheScriptSays) {
  Faults faults;
  faults.fail(Call::WSARecv, WSAENOBUFS, 2, 1);
  EXPECT_TRUE(receive(ops_[0]));
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(receive(ops_[1]));
    EXPECT_EQ(::WSAGetLastError(), WSAENOBUFS);
  }
  EXPECT_EQ(faults.left(), 0u);
  faults.fail(Call::accept, WSAECONNRESET);
  faults.fail(Call::CreateIoCompletionPort, 8);
  faults.fail(Call::GetQueuedCompletionStatus, WAIT_TIMEOUT);
  faults.fail(Call::PostQueuedCompletionStatus, 6);
  EXPECT_EQ(::accept(socket_, nullptr, nullptr), INVALID_SOCKET);
  EXPECT_EQ(::WSAGetLastError(), WSAECONNRESET);
  EXPECT_EQ(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0), nullptr);
  EXPECT_EQ(take(nullptr, INFINITE), nullptr);
  EXPECT_EQ(::GetLastError(), static_cast<DWORD>(WAIT_TIMEOUT));
  EXPECT_FALSE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
  EXPECT_EQ(faults.left(), 0u);
  faults.shorten_next_send(3);
  ASSERT_TRUE(send(ops_[2]));
  DWORD bytes = 0;
  ASSERT_EQ(take(&bytes), &ops_[2].overlapped);
  EXPECT_EQ(bytes, 3u);
  faults.disguise_next_failure(121, 7);
  close();
  ASSERT_EQ(take(&bytes), &ops_[0].overlapped);
  EXPECT_EQ(::GetLastError(), 121u);
  EXPECT_EQ(bytes, 7u);
  EXPECT_EQ(faults.left(), 0u);
  EXPECT_EQ(broken_rule(), "");
}

TEST_F(SeamWithPort, ACallThatGoesWellLeavesAStaleError) {
  ::SetLastError(ERROR_INVALID_PARAMETER);
  ASSERT_TRUE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
  EXPECT_EQ(::GetLastError(), static_cast<DWORD>(WSAENOTSOCK));
  ::SetLastError(0);
  take();
  EXPECT_EQ(::GetLastError(), 0u);
  EXPECT_EQ(take(nullptr, 0), nullptr);
  ASSERT_TRUE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
  take();
  EXPECT_EQ(::GetLastError(), static_cast<DWORD>(WAIT_TIMEOUT));
  close();
}

TEST_F(SeamWithPort, WhoClearsTheErrorBeforeTheFirstCallOfAThreadFindsItCleared) {
  for (const DWORD before : {DWORD{0}, DWORD{WSAENOTSOCK}}) {
    Background thread("a call", [&] {
      if (before == 0) ::SetLastError(0);
      EXPECT_TRUE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
      EXPECT_EQ(::GetLastError(), before);
    });
    thread.finish();
    take();
  }
  close();
}

TEST_F(SeamWithPort, TheNumberOfBytesIsWrittenLast) {
  Faults faults;
  DWORD bytes = 77;
  DWORD bytes_in_the_call = 0;
  faults.meanwhile(Call::WSASend, [&] { bytes_in_the_call = bytes; });
  ASSERT_EQ(::WSASend(socket_, &ops_[0].wsabuf, 1, &bytes, 0, &ops_[0].overlapped, nullptr), 0);
  EXPECT_EQ(bytes_in_the_call, 77u);
  EXPECT_EQ(bytes, sizeof ops_[0].bytes);
  take();
  close();
}

TEST_F(SeamWithPort, SomethingHappensDuringACall) {
  Faults faults;
  int happened = 0;
  faults.meanwhile(Call::PostQueuedCompletionStatus, [&] { ++happened; });
  faults.fail(Call::PostQueuedCompletionStatus, 6);
  EXPECT_FALSE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
  EXPECT_EQ(happened, 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(::PostQueuedCompletionStatus(port_, 0, 0, nullptr));
    EXPECT_EQ(happened, 1);
  }
  take();
  take();
  close();
}

TEST_F(Seam, AssociatedFirst) {
  receive(ops_[0]);
  expect_broken("associated_first");
  associate();
  close();
  take();
}

TEST_F(SeamWithPort, OneReceive) {
  receive(ops_[0]);
  EXPECT_EQ(broken_rule(), "");
  receive(ops_[1]);
  expect_broken("one_recv");
  close();
  take();
  take();
}

TEST_F(SeamWithPort, Zeroed) {
  ops_[0].overlapped.Internal = 1;
  receive(ops_[0]);
  expect_broken("zeroed");
  close();
  take();
}

TEST_F(SeamWithPort, NotReused) {
  ops_[0].wsabuf.len = ops_[1].wsabuf.len = 1;
  receive(ops_[0]);
  WSABUF other = ops_[1].wsabuf;
  ops_[0].overlapped = {};
  ::WSASend(socket_, &other, 1, nullptr, 0, &ops_[0].overlapped, nullptr);
  expect_broken("not_reused");
  close();
  take();
  take();
}

TEST_F(SeamWithPort, AnOwnerHidesWhatIsInFlight) {
  struct Owner : OperationOwner {
    void put_away(OVERLAPPED* overlapped) override { away = overlapped; }
    bool bring_back(OVERLAPPED* overlapped) override {
      EXPECT_EQ(std::exchange(away, nullptr), overlapped);
      return untouched;
    }
    OVERLAPPED* away = nullptr;
    bool untouched = true;
  } owner;
  begin_ownership(owner);
  {
    Faults faults;
    faults.fail(Call::WSARecv, WSAENOBUFS);
    EXPECT_FALSE(receive(ops_[0]));  // a call that is not made puts nothing away
  }
  ASSERT_TRUE(receive(ops_[0]));
  EXPECT_EQ(owner.away, &ops_[0].overlapped);
  peer_->send("x");
  take();
  EXPECT_EQ(owner.away, nullptr);
  EXPECT_EQ(broken_rule(), "");
  ASSERT_TRUE(send(ops_[1]));
  EXPECT_EQ(owner.away, &ops_[1].overlapped);
  owner.untouched = false;
  take();
  expect_broken("not_changed");
  close();
  owner.untouched = true;
  ops_[2].overlapped = {};
  EXPECT_FALSE(receive(ops_[2]));
  EXPECT_EQ(owner.away, nullptr);  // the call failed, so nothing is in flight
  end_ownership(owner);
}

TEST_F(SeamWithPort, ThreadsThatWaitForAPacketAreCounted) {
  EXPECT_EQ(threads_waiting_for_packets(), 0u);
  take(nullptr, 0);
  EXPECT_EQ(threads_waiting_for_packets(), 0u);
  Background waits("a worker", [&] { take(nullptr, INFINITE); });
  EXPECT_TRUE(eventually([] { return threads_waiting_for_packets() == 1; }));
  ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  waits.finish();
  EXPECT_EQ(threads_waiting_for_packets(), 0u);
  close();
}

TEST_F(SeamWithPort, NotChanged) {
  receive(ops_[0]);
  ops_[0].overlapped = {};
  peer_->send("x");
  take();
  expect_broken("not_changed");
}

TEST_F(SeamWithPort, BufferOfASend) {
  send(ops_[0]);
  ops_[0].bytes[5] = 'x';
  take();
  expect_broken("buffer");
}

TEST_F(SeamWithPort, BufferOfAReceive) {
  receive(ops_[0]);
  ops_[0].bytes[5] = 'x';
  peer_->send("abc");
  take();
  expect_broken("buffer");
}

TEST_F(SeamWithPort, NotOnStack) {
  Operation here;
  here.make_new();
  receive(here);
  expect_broken("not_on_stack");
  peer_->send("x");
  take();
}

TEST_F(SeamWithPort, ClosedOnce) {
  close();
  EXPECT_EQ(broken_rule(), "");
  close();
  expect_broken("closed_once");
}

TEST_F(SeamWithPort, NothingIsLeftBehind) {
  receive(ops_[0]);
  const std::string operation = at_the_end();
  EXPECT_EQ(operation.rfind("leak: 1 operation never came out of the port; the first is the receive of client 1", 0), 0u) << operation;
}

TEST_F(SeamWithPort, ASocketLeftOpenIsALeak) {
  const std::string line = at_the_end();
  EXPECT_EQ(line.rfind("leak: 1 socket is never closed; the first is that of client 1", 0), 0u) << line;
}

TEST_F(SeamWithPort, TheCauseOfAHangIsNamed) {
  receive(ops_[0]);
  Background worker("the worker", [this] {  // takes two packets, and posts its receive again only once
    take(nullptr, INFINITE);
    ops_[0].make_new();
    receive(ops_[0]);
    take(nullptr, INFINITE);
    take(nullptr, INFINITE);
  });
  peer_->send("x");
  check_eventually("the worker took it", [this] { return count_of(Call::WSARecv, socket_) == 2; });
  peer_->send("x");
  check_eventually("the cause is named", [] {
    return last_seen().find("cause: client 1 has no receive pending since its 2nd packet: N4") != std::string::npos;
  });
  ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  worker.finish();
}

TEST_F(SeamWithPort, ThreadsAreSeen) {
  Background waits("the wait", [this] { take(nullptr, INFINITE); });
  check_eventually("the thread waits", [] {
    return last_seen().find("seen: thread 1 is in GetQueuedCompletionStatus since ") != std::string::npos;
  });
  close();
  EXPECT_NE(last_seen().find("cause: 1 thread in GetQueuedCompletionStatus, and no packet comes that ends it: N14"),
            std::string::npos)
      << last_seen();
  ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  waits.finish();
}

// --- The timeline ----------------------------------------------------------------------------------------------------

class Recorded : public SeamWithPort {
 protected:
  Recorded() {
    static const bool once = (record_timeline(kFile), true);
    static_cast<void>(once);
    next_seed();
  }
  static std::string text() {
    std::ifstream stream(kFile, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // The lines that have both texts.
  static std::vector<std::string> lines(const std::string& one, const std::string& other = "") {
    std::istringstream all(text());
    std::vector<std::string> found;
    for (std::string line; std::getline(all, line);) {
      if (line.find(one) != std::string::npos && line.find(other) != std::string::npos) found.push_back(line);
    }
    return found;
  }
  static constexpr const char* kFile = "seam_test_timeline.json";
};

TEST_F(Recorded, ACallAndItsOperationAreThere) {
  ASSERT_TRUE(receive(ops_[0]));
  EXPECT_EQ(lines("\"ph\":\"X\"", "\"name\":\"WSARecv\"").size(), 1u) << text();
  EXPECT_EQ(lines("\"ph\":\"B\"", "\"name\":\"receive\"").size(), 1u) << text();
  peer_->send("hello");
  ASSERT_EQ(take(), &ops_[0].overlapped);
  EXPECT_EQ(lines("\"ph\":\"B\"").size(), 0u) << text();
  EXPECT_EQ(lines("\"ph\":\"X\"", "\"name\":\"receive\",\"args\":{\"client\":1,\"operation\":1,\"bytes\":5}").size(), 1u) << text();
  EXPECT_EQ(lines("GetQueuedCompletionStatus", "\"operation\":1,\"bytes\":5").size(), 1u) << text();
  EXPECT_EQ(lines("sends 5 bytes", "\"pid\":2").size(), 1u) << text();
  EXPECT_EQ(lines("thread_name", "client 1: receives").size(), 1u) << text();
}

TEST_F(Recorded, ACallThatFailsSaysSo) {
  Faults faults;
  faults.fail(Call::WSARecv, WSAENOBUFS);
  EXPECT_FALSE(receive(ops_[0]));
  EXPECT_EQ(lines("\"name\":\"WSARecv\"", "\"failed\":1,\"error\":10055").size(), 1u) << text();
}

TEST_F(Recorded, ACallThatDoesNotEndIsOpen) {
  std::thread worker([&] { take(); });
  EXPECT_TRUE(eventually([&] { return lines("\"ph\":\"B\"", "GetQueuedCompletionStatus").size() == 1; })) << text();
  ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  worker.join();
  EXPECT_EQ(lines("\"ph\":\"B\"").size(), 0u) << text();
}

TEST_F(Recorded, OperationsAtTheSameTimeHaveLanesOfTheirOwn) {
  for (const int i : {0, 1}) {
    ops_[i].wsabuf.len = 4;
    ASSERT_TRUE(send(ops_[i]));
  }
  EXPECT_EQ(lines("\"name\":\"send\"", "\"tid\":20,").size(), 1u) << text();
  EXPECT_EQ(lines("\"name\":\"send\"", "\"tid\":21,").size(), 1u) << text();
  EXPECT_EQ(lines("thread_name", "client 1: sends (2)").size(), 1u) << text();
  take();
  take();
}

TEST_F(Recorded, ABrokenRuleIsThere) {
  ASSERT_TRUE(receive(ops_[0]));
  ASSERT_TRUE(receive(ops_[1]));
  EXPECT_EQ(lines("rule: one_recv", "\"failed\":1").size(), 1u) << text();
  close();
  take();
  take();
}

TEST_F(Recorded, ALongTestKeepsItsBeginningAndItsEnd) {
  note_step("the first \"step\"");
  ASSERT_TRUE(receive(ops_[0]));
  for (int i = 0; i < 5000; ++i) ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  note_step("the last step");
  EXPECT_EQ(lines("the first 'step'").size(), 1u);
  EXPECT_EQ(lines("the last step").size(), 1u);
  EXPECT_EQ(lines("\"ph\":\"B\"", "\"name\":\"receive\"").size(), 1u) << "what is outstanding is not lost";
  EXPECT_EQ(lines("\"left_out\":").size(), 1u);
  EXPECT_EQ(text().size(), 256u * 1024);
  EXPECT_EQ(text().front(), '[');
  EXPECT_EQ(text().substr(text().size() - 2), "]\n");
  next_seed();
  EXPECT_EQ(lines("step").size(), 0u) << "each seed begins anew";
  close();
  take();
}

}  // namespace
}  // namespace test
