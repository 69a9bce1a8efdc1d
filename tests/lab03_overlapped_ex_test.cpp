// Tests of lab 03: the operation around the OVERLAPPED, one receive, many sends.
//
// In most tests there is no thread: the test itself takes the completions out of the port. So it knows at each moment
// what is posted and what is not.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <vector>

#include "child_process.h"
#include "conductor.h"
#include "crowd.h"
#include "echo.h"
#include "interrupted.h"
#include "operation_ledger.h"
#include "overlapped_ex.h"
#include "seam.h"

using namespace test;
using lab::OpKind;
using lab::OverlappedEx;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // once they are inlined, GCC takes free() below for a mistake
#endif

// How many blocks of `new` have not been given to `delete`, by any thread: a helper thread of the code under test may free.
static std::atomic<long> blocks_of_new{0};
// While this is true, blocks of `new` that are as large as an operation are noted until they are given to `delete`.
static std::atomic<bool> notes_blocks{false};
static std::array<std::atomic<void*>, 16> noted_blocks{};
// From now on this thread finds no memory for an operation.
static thread_local bool no_memory = false;
// Looked at when this thread gives the block to `delete`.
static thread_local const void* watched_block = nullptr;
static thread_local const lab::HeapOperations* watched_operations = nullptr;
static thread_local std::size_t in_use_at_delete = 0;

void* operator new(std::size_t size) {
  void* block = no_memory && size >= lab::kBufferSize ? nullptr : std::malloc(size != 0 ? size : 1);
  if (block == nullptr) throw std::bad_alloc();
  blocks_of_new.fetch_add(1, std::memory_order_relaxed);  // puts no threads in order for ThreadSanitizer
  if (size >= lab::kBufferSize && notes_blocks.load(std::memory_order_relaxed)) {
    for (auto& noted : noted_blocks) {
      void* none = nullptr;
      if (noted.compare_exchange_strong(none, block, std::memory_order_relaxed)) break;
    }
  }
  return block;
}
static void delete_block(void* block) {
  if (block != nullptr) blocks_of_new.fetch_sub(1, std::memory_order_relaxed);
  for (auto& noted : noted_blocks) {
    void* mine = block;
    if (block != nullptr) noted.compare_exchange_strong(mine, nullptr, std::memory_order_relaxed);
  }
  if (block != nullptr && block == watched_block) in_use_at_delete = watched_operations->in_use();
  std::free(block);
}
void operator delete(void* block) noexcept { delete_block(block); }
void operator delete(void* block, std::size_t) noexcept { delete_block(block); }

namespace {

std::shared_ptr<lab::Connection> connection_with(lab::UniqueSocket socket) {
  auto connection = std::make_shared<lab::Connection>();
  connection->socket = std::move(socket);
  return connection;
}

// What came out of the port.
struct Packet {
  bool ok;
  DWORD bytes;
  OverlappedEx* op;
  std::string data() const { return std::string(op->buffer, bytes); }
};

// One connection, tied to a port of its own, and the client at its other end.
class Wire {
 public:
  Wire() {
    if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(connection->socket.get()), port_.get(), 1, 0) == nullptr) {
      fail("the test's own CreateIoCompletionPort failed with " + std::to_string(::GetLastError()));
    }
  }
  // Whatever is still posted ends before the operations do.
  ~Wire() {
    connection->close();
    eventually(
        [&] {
          Packet packet{};
          while (operations.in_use() > 0 && take(packet, 0)) operations.release(packet.op);
          return operations.in_use() == 0;
        },
        std::chrono::milliseconds(200));
  }

  // The next completion; it must come.
  Packet next() {
    Packet packet{};
    const auto deadline = Clock::now() + patience();
    while (!take(packet, 100)) {
      if (given_up || Clock::now() > deadline) fail("expected that a completion comes, but none came");
    }
    operations.operation_of(&packet.op->overlapped);
    return packet;
  }

  // What a server does last with a completion.
  void done(const Packet& packet) {
    if (packet.op->kind == OpKind::send) {
      const std::size_t size = packet.op->wsabuf.len;
      const std::size_t before = packet.op->connection->bytes_in_flight.fetch_sub(size);
      if (before < size) {
        fail("expected that bytes_in_flight counts the " + std::to_string(size) +
             " bytes of a send until it is handled, but it was " + std::to_string(before));
      }
    }
    operations.release(packet.op);
  }

  // Both sides keep little, so sends to a client that does not read stay pending.
  void make_slow() {
    const int little = 16 * 1024;
    ::setsockopt(connection->socket.get(), SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char*>(&little), sizeof little);
    ::setsockopt(client.socket(), SOL_SOCKET, SO_RCVBUF, reinterpret_cast<const char*>(&little), sizeof little);
  }

  // The client reads `size` bytes, while the test takes `count` completions, which must be of successful sends. (On Linux
  // pending sends go on only while somebody waits at the port.) Returns both; the operations are still out.
  std::pair<std::string, std::vector<Packet>> read_and_complete(std::size_t size, std::size_t count) {
    std::pair<std::string, std::vector<Packet>> result;
    Background reader("the client's reading", [&] { result.first = client.receive(size); });
    struct EndReading {
      SOCKET socket;
      bool needed = true;
      ~EndReading() {
        if (needed) ::shutdown(socket, SD_BOTH);  // a check has failed: nobody waits for more bytes
      }
    } end{client.socket()};
    while (result.second.size() < count) {
      const Packet packet = next();
      check("the send succeeds", packet.ok);
      check("the completion is that of a send", packet.op->kind == OpKind::send);
      for (const Packet& other : result.second) check("no operation completes twice", other.op != packet.op);
      result.second.push_back(packet);
    }
    reader.finish();
    end.needed = false;
    return result;
  }

  // Waits until that many bytes are there to be received, and leaves them there.
  void wait_for_bytes(std::size_t size) {
    std::vector<char> room(size);
    check_eventually("the client's bytes arrive", [&] {
      return ::recv(connection->socket.get(), room.data(), static_cast<int>(size), MSG_PEEK) == static_cast<int>(size);
    });
  }

  // Waits until the end of what the client sends is there to be received.
  void wait_for_end() {
    char room = 0;
    check_eventually("the end of the client's bytes arrives",
                     [&] { return ::recv(connection->socket.get(), &room, 1, MSG_PEEK) == 0; });
  }

  // Handles completions until stop_serving(). `received` is for this thread, and for others after that.
  void serve() {
    Packet packet{};
    while (!given_up) {
      if (!take(packet, 50)) continue;
      operations.operation_of(&packet.op->overlapped);
      if (packet.op->kind == OpKind::recv && packet.ok) received += packet.data();
      done(packet);
    }
  }
  void stop_serving() {
    given_up = true;
    ::PostQueuedCompletionStatus(port_.get(), 0, 0, nullptr);
  }

  // The end of a test that went well: everything that is posted comes back, and nothing is left.
  void finish() {
    STEP("the connection is closed, and what is posted comes back");
    connection->close();
    while (operations.in_use() > 0) done(next());
    Packet packet{};
    check("no completion comes for which there is no operation", !take(packet, 0));
    operations.check_in_order();
    check_equal("bytes_in_flight in the end", connection->bytes_in_flight.load(), 0u);
    check_equal("the number of references to the connection in the end", connection.use_count(), 1);
  }

  OperationLedger operations;
  std::atomic<bool> given_up{false};  // a check has failed: next() waits no more
  std::string received;

 private:
  bool take(Packet& packet, DWORD milliseconds) {
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    packet.ok = ::GetQueuedCompletionStatus(port_.get(), &packet.bytes, &key, &overlapped, milliseconds) != FALSE;
    packet.op = CONTAINING_RECORD(overlapped, OverlappedEx, overlapped);
    return overlapped != nullptr;
  }

  lab::UniqueHandle port_{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0)};
  Listener listener_;

 public:
  TestClient client{listener_.port};
  std::shared_ptr<lab::Connection> connection = connection_with(listener_.accept());
};

bool post(Wire& wire, const std::string& bytes) {
  return lab::post_send(wire.operations, wire.connection, bytes.data(), bytes.size());
}

void expect_receive(const Packet& packet, const std::string& bytes) {
  check("the receive succeeds", packet.ok);
  check("the completion is that of a receive", packet.op->kind == OpKind::recv);
  check_same_bytes("what was received", packet.data(), bytes);
}

// Connections on which nothing can be posted, and why.
struct Unusable {
  const char* why;
  std::shared_ptr<lab::Connection> connection;
};
std::vector<Unusable> unusable_connections() {
  return {{"a connection that is closed", std::make_shared<lab::Connection>()},
          {"a socket that is not connected",
           connection_with(lab::UniqueSocket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)))}};
}

// Two threads acquire or release at the same time. One of them stands still after each of its instructions in turn.
void two_at_the_operations(lab::HeapOperations& operations) {
  STEP("a thread stands still in acquire, and another one acquires, or releases");
  std::vector<OverlappedEx*> out;  // before the round, and what each of the two gets
  const auto begin = [&] {
    for (OverlappedEx* const op : out) operations.release(op);
    check_equal("in_use() when all are released", operations.in_use(), 0u);
    out = {operations.acquire(OpKind::recv), operations.acquire(OpKind::send), nullptr, nullptr};
  };
  const auto acquire = [&](int i) { return [&, i] { out[i] = operations.acquire(OpKind::send); }; };
  const auto release = [&](int i) { return [&, i] { operations.release(std::exchange(out[i], nullptr)); }; };
  const auto look = [&] {
    for (OverlappedEx*& op : out) {
      if (op == nullptr) continue;
      check("nobody else has this operation", std::count(out.begin(), out.end(), op) == 1);
    }
    out.erase(std::remove(out.begin(), out.end(), nullptr), out.end());
    check_equal("in_use()", operations.in_use(), out.size());
  };
  at_each_instruction({"acquire", "acquire", begin, acquire(2), acquire(3), look});
  at_each_instruction({"acquire", "release", begin, acquire(2), release(0), look});
  STEP("a thread stands still in release, and another one acquires, or releases");
  at_each_instruction({"release", "acquire", begin, release(0), acquire(2), look});
  at_each_instruction({"release", "release", begin, release(0), release(1), look});
  for (OverlappedEx* const op : out) operations.release(op);
}

}  // namespace

// --- Operations from the heap ----------------------------------------------------------------------------------------

LAB_TEST(Lab03, AcquireGivesAFreshOperation, "N9, N11, N12", "lab03_overlapped_ex/README.md#step-1") {
  lab::HeapOperations operations;
  STEP("an operation is acquired, used, released, and acquired again, many times");
  for (int i = 0; i < 50; ++i) {
    const OpKind kind = i % 3 == 0 ? OpKind::send : OpKind::recv;
    OverlappedEx* op = operations.acquire(kind);
    check("acquire gives an operation", op != nullptr);
    check("it is of the kind that was asked for", op->kind == kind);
    const OVERLAPPED zero{};
    check("its OVERLAPPED is zero", std::memcmp(&op->overlapped, &zero, sizeof zero) == 0);
    check_equal("wsabuf.len", op->wsabuf.len, lab::kBufferSize);
    check("wsabuf.buf is the operation's own buffer", op->wsabuf.buf == op->buffer);
    check("its connection is null", op->connection == nullptr);
    check_equal("in_use()", operations.in_use(), 1u);

    std::memset(&op->overlapped, 0xCC, sizeof op->overlapped);  // as if it had been used
    std::memset(op->buffer, 0xCC, sizeof op->buffer);
    op->kind = kind == OpKind::send ? OpKind::recv : OpKind::send;
    op->wsabuf = {1, nullptr};
    op->connection = std::make_shared<lab::Connection>();
    check("release takes it back", operations.release(op));
    check_equal("in_use()", operations.in_use(), 0u);
  }

  STEP("null is released: it was never given out");
  check("release returns false", !operations.release(nullptr));
  check_equal("in_use()", operations.in_use(), 0u);

  STEP("5000 operations are out at the same time");
  std::set<OverlappedEx*> all;
  for (int i = 0; i < 5000; ++i) all.insert(operations.acquire(OpKind::send));
  check("none of them is null", !all.contains(nullptr));
  check_equal("the number of different operations", all.size(), 5000u);
  check_equal("in_use()", operations.in_use(), 5000u);
  for (OverlappedEx* op : all) operations.release(op);
  check_equal("in_use() in the end", operations.in_use(), 0u);

  STEP("two sources at the same time, each with operations of its own");
  lab::HeapOperations others;
  OverlappedEx* ours = operations.acquire(OpKind::recv);
  OverlappedEx* theirs[] = {others.acquire(OpKind::recv), others.acquire(OpKind::send)};
  check_equal("in_use() of the first", operations.in_use(), 1u);
  check_equal("in_use() of the second", others.in_use(), 2u);
  for (OverlappedEx* op : theirs) others.release(op);
  check_equal("in_use() of the first", operations.in_use(), 1u);
  check_equal("in_use() of the second", others.in_use(), 0u);
  operations.release(ours);

  STEP("there is no memory for another one");
  OverlappedEx* last = nullptr;
  bool thrown = false;
  no_memory = true;
  try {
    last = operations.acquire(OpKind::send);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  no_memory = false;
  check("acquire throws std::bad_alloc, or gives one whose memory is from elsewhere; null it never gives",
        thrown || last != nullptr);
  check_equal("in_use()", operations.in_use(), last != nullptr ? 1u : 0u);
  operations.release(last);
}

LAB_TEST(Lab03, ReleaseLetsGoOfTheConnectionAndTheMemory, "N9", "lab03_overlapped_ex/README.md#step-1") {
  lab::HeapOperations operations;
  STEP("eight operations are acquired, then released; nothing is kept for the next acquire");
  std::vector<OverlappedEx*> eight;
  notes_blocks = true;
  for (int i = 0; i < 8; ++i) eight.push_back(operations.acquire(OpKind::send));
  notes_blocks = false;
  for (OverlappedEx* op : eight) operations.release(op);
  const auto is_kept = [](const std::atomic<void*>& block) { return block != nullptr; };
  check_equal("how many of them are not deleted", std::count_if(noted_blocks.begin(), noted_blocks.end(), is_kept), 0);
  STEP("an operation holds the last reference to a connection");
  Listener listener;
  TestClient client(listener.port);
  OverlappedEx* op = operations.acquire(OpKind::recv);
  op->connection = connection_with(listener.accept());
  const std::weak_ptr<lab::Connection> connection = op->connection;
  STEP("it is released");
  check("release takes it back", operations.release(op));
  check("the connection is gone", connection.expired());
  client.expect_closed();

  STEP("another one is released; main may end the program when in_use() is 0, so that comes last");
  op = operations.acquire(OpKind::send);
  std::size_t in_use_at_end = 0;
  op->connection = std::shared_ptr<lab::Connection>(new lab::Connection, [&](lab::Connection* last) {
    in_use_at_end = operations.in_use();
    delete last;
  });
  in_use_at_delete = 1;  // and so it stays when the memory is not from `new`
  watched_operations = &operations;
  watched_block = op;
  operations.release(op);
  watched_block = nullptr;
  check_equal("in_use() while its connection goes", in_use_at_end, 1u);
  check_equal("in_use() while its memory goes", in_use_at_delete, 1u);
  check_equal("in_use() after that", operations.in_use(), 0u);

  STEP("1000 operations are acquired and released, one by one");
  const long before = blocks_of_new;
  for (int i = 0; i < 1000; ++i) operations.release(operations.acquire(OpKind::send));
  const long left = blocks_of_new - before;
  check("each new has its delete (" + std::to_string(left) + " blocks more than before)", left < 100);
}

LAB_TEST(Lab03, OperationsComeFromFourThreadsAtOnce, "N9", "lab03_overlapped_ex/README.md#step-1") {
  lab::HeapOperations operations;
  two_at_the_operations(operations);
  STEP("four threads acquire, mark and release operations");
  on_threads("acquire and release", 4, [&](unsigned me) {
    std::array<OverlappedEx*, 8> mine{};
    for (unsigned round = 0; round < 1000; ++round) {
      const std::uint32_t mark = round * 4 + me;
      for (OverlappedEx*& op : mine) {
        op = operations.acquire(OpKind::send);
        std::memcpy(op->buffer, &mark, sizeof mark);
      }
      if (round % 16 == 0) std::this_thread::yield();
      for (OverlappedEx* op : mine) {
        check("nobody else has the same operation", std::memcmp(op->buffer, &mark, sizeof mark) == 0);
        operations.release(op);
      }
    }
  });
  check_equal("in_use() in the end", operations.in_use(), 0u);
}

LAB_TEST(Lab03, OperationIsFoundFromItsOverlapped, "N12, N13", "lab03_overlapped_ex/README.md#step-2") {
  STEP("operations lie at many places");
  struct Before {
    char room[40];
  };
  struct Later : Before, OverlappedEx {};  // not at the beginning of its object
  std::vector<Later> row(5);
  OverlappedEx alone;
  STEP("each is looked up by its OVERLAPPED, in two orders");
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      Later& one = row[round == 0 ? i : row.size() - 1 - i];
      check("the operation is the one around the OVERLAPPED",
            lab::operation_from(&one.overlapped) == static_cast<OverlappedEx*>(&one));
    }
    check("the operation is the one around the OVERLAPPED", lab::operation_from(&alone.overlapped) == &alone);
  }
}

// --- The receive -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab03, ReceiveWaitsForASilentClient, "N4, N7, N8", "lab03_overlapped_ex/README.md#step-4") {
  Wire wire;
  STEP("the first receive is started; the client is silent");
  check("start_recv returns true: the receive is pending, and that is no error",
        lab::start_recv(wire.operations, wire.connection));
  check_equal("the number of operations that are out", wire.operations.in_use(), 1u);
  check("the client is still connected", wire.client.look() == End::none);

  STEP("the client speaks");
  wire.client.send("good morning");
  const Packet packet = wire.next();
  expect_receive(packet, "good morning");
  check("the operation is tied to its connection", packet.op->connection == wire.connection);
  check_equal("the number of operations acquired", wire.operations.given(), 1u);
  wire.done(packet);

  STEP("another receive is posted by the test; whatever comes next must be its");
  OverlappedEx* own = wire.operations.acquire(OpKind::recv);
  DWORD flags = 0;
  ::WSARecv(wire.connection->socket.get(), &own->wsabuf, 1, nullptr, &flags, &own->overlapped, nullptr);
  wire.client.send("x");
  const Packet last = wire.next();
  check("start_recv had posted one receive, not two", last.op == own);
  wire.done(last);
  wire.finish();
}

LAB_TEST(Lab03, ReceiveThatSucceedsAtOnceStillCompletes, "N3, N8", "lab03_overlapped_ex/README.md#step-3") {
  Wire wire;
  STEP("the client's bytes are there before the first receive");
  wire.client.send("early");
  wire.wait_for_bytes(5);
  STEP("the first receive is started");
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  check_equal("the number of operations that are out until the completion is handled", wire.operations.in_use(), 1u);
  STEP("its completion comes");
  const Packet first = wire.next();
  expect_receive(first, "early");

  STEP("the same again, with the same operation");
  wire.client.send("and late");
  wire.wait_for_bytes(8);
  check("post_recv returns true", lab::post_recv(first.op));
  check("the operation is out until the completion is handled", wire.operations.is_out(first.op));
  const Packet second = wire.next();
  check("the completion is that of the same operation", second.op == first.op);
  expect_receive(second, "and late");

  STEP("the client ends its side; that is there before the receive, too");
  wire.client.half_close();
  wire.wait_for_end();
  check("post_recv returns true: a completion comes, though it brings no bytes", lab::post_recv(second.op));
  const Packet third = wire.next();
  check("the completion is that of the same operation", third.op == second.op);
  expect_receive(third, "");
  STEP("a first receive is started after that");
  wire.done(third);
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  const Packet last = wire.next();
  expect_receive(last, "");
  wire.done(last);
  wire.finish();
}

LAB_TEST(Lab03, OverlappedIsZeroedBeforeEachReceive, "N8", "lab03_overlapped_ex/README.md#step-3") {
  Wire wire;
  OverlappedEx* op = wire.operations.acquire(OpKind::recv);
  op->connection = wire.connection;
  for (int i = 0; i < 10; ++i) {
    if (i < 2) STEP(i == 0 ? "a receive is posted; its OVERLAPPED holds what was there before" : "again, 9 times");
    std::memset(&op->overlapped, i % 2 == 0 ? 0xCC : 0xFF, sizeof op->overlapped);
    op->wsabuf = {static_cast<ULONG>(i), nullptr};  // stale, too
    check("post_recv returns true", lab::post_recv(op));
    // Whether the OVERLAPPED was zero at the call is what the rule "zeroed" looks at.
    const std::string text = pattern(static_cast<std::size_t>(100 + i), static_cast<unsigned>(i));
    wire.client.send(text);
    const Packet packet = wire.next();
    check("the completion is that of the operation", packet.op == op);
    expect_receive(packet, text);
  }
  wire.operations.release(op);
  wire.finish();
}

LAB_TEST(Lab03, ReceiveTakesAWholeBufferEachTime, "N8, N17", "lab03_overlapped_ex/README.md#step-3") {
  Wire wire;
  STEP("a receive gets 3 bytes");
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  wire.client.send("abc");
  const Packet small = wire.next();
  expect_receive(small, "abc");
  STEP("kBufferSize + 100 bytes are waiting, and the same operation is posted again");
  const std::string large = pattern(lab::kBufferSize + 100, 3);
  wire.client.send(large);
  wire.wait_for_bytes(large.size());
  check("post_recv returns true", lab::post_recv(small.op));
  const Packet whole = wire.next();
  expect_receive(whole, large.substr(0, lab::kBufferSize));
  STEP("and again, for the rest");
  check("post_recv returns true", lab::post_recv(whole.op));
  const Packet rest = wire.next();
  expect_receive(rest, large.substr(lab::kBufferSize));
  wire.done(rest);
  wire.finish();
}

LAB_TEST(Lab03, ReceiveThatCannotBePostedLeavesNothing, "N8", "lab03_overlapped_ex/README.md#step-4") {
  OperationLedger operations;
  for (const Unusable& one : unusable_connections()) {
    STEP(std::string("start_recv on ") + one.why);
    check("start_recv returns false", !lab::start_recv(operations, one.connection));
    check_equal("the number of operations that are out", operations.in_use(), 0u);
    check_equal("the number of references to the connection", one.connection.use_count(), 1);

    STEP(std::string("post_recv on ") + one.why);
    OverlappedEx* op = operations.acquire(OpKind::recv);
    op->connection = one.connection;
    check("post_recv returns false", !lab::post_recv(op));
    check("the operation is still the caller's", operations.is_out(op));
    check("it still has its connection", op->connection == one.connection);
    operations.release(op);
  }
  STEP("start_recv when there is no operation to be had");
  Wire wire;
  wire.operations.give_only(0);
  check("start_recv returns false", !lab::start_recv(wire.operations, wire.connection));
  check_equal("the number of references to the connection", wire.connection.use_count(), 1);
  check("the connection is open", static_cast<bool>(wire.connection->lock()));
  operations.check_in_order();
  wire.finish();
}

LAB_TEST(Lab03, PendingOperationsKeepTheirClientAlive, "N5, N8, N9", "lab03_overlapped_ex/README.md#step-4") {
  Wire wire;
  wire.make_slow();
  STEP("a receive is pending, and so are sends to a client that does not read");
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  const std::string text = pattern(40 * lab::kBufferSize, 5);
  for (std::size_t at = 0; at < text.size(); at += lab::kBufferSize) {
    check("post_send returns true", post(wire, text.substr(at, lab::kBufferSize)));
  }
  STEP("everybody else lets go of the connection");
  const std::weak_ptr<lab::Connection> watch = wire.connection;
  wire.connection = std::make_shared<lab::Connection>();
  check("the connection lives", !watch.expired());
  check_equal("the number of references: one for each operation", watch.use_count(), 41);
  STEP("the client reads all of it");
  const auto [got, packets] = wire.read_and_complete(text.size(), 40);
  check_same_bytes("what the client gets", got, text);
  for (const Packet& packet : packets) {
    check("the operation has its connection until it is released", packet.op->connection == watch.lock());
    wire.done(packet);
  }
  STEP("the client speaks");
  wire.client.send("still there?");
  const Packet last = wire.next();
  expect_receive(last, "still there?");
  check("the operation has its connection until it is released", last.op->connection == watch.lock());
  check_equal("the number of references that are left", watch.use_count(), 1);
  wire.done(last);
  STEP("the last operation has been released");
  check("the connection is gone", watch.expired());
  wire.client.expect_closed();
  wire.finish();
}

// --- The sends -------------------------------------------------------------------------------------------------------

LAB_TEST(Lab03, CallersBufferMayChangeAfterASend, "N9, N11", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  wire.make_slow();
  STEP("60 sends to a client that does not read; the caller's buffer is used again after each");
  std::string all;
  {
    std::vector<char> buffer(lab::kBufferSize);
    for (unsigned i = 0; i < 60; ++i) {
      const std::string text = pattern(buffer.size(), i);
      std::copy(text.begin(), text.end(), buffer.begin());
      check("post_send returns true", lab::post_send(wire.operations, wire.connection, buffer.data(), buffer.size()));
      std::fill(buffer.begin(), buffer.end(), '!');
      all += text;
    }
  }
  STEP("the client reads");
  const auto [got, packets] = wire.read_and_complete(all.size(), 60);
  check_same_bytes("what the client gets", got, all);
  for (const Packet& packet : packets) wire.done(packet);
  wire.finish();
}

LAB_TEST(Lab03, SendsInFlightHaveAnOperationEach, "N7, N8, N9", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  wire.make_slow();
  STEP("64 sends of different sizes to a client that does not read");
  std::vector<std::string> texts;
  std::string all;
  for (unsigned i = 0; i < 64; ++i) {
    texts.push_back(pattern(i % 4 == 0 ? lab::kBufferSize : 1 + i * 61, i));
    all += texts.back();
    check("post_send returns true", post(wire, texts.back()));
    check_equal("the number of operations that are out", wire.operations.in_use(), texts.size());
    check_equal("bytes_in_flight", wire.connection->bytes_in_flight.load(), all.size());
  }
  STEP("the client reads; each send completes, once");
  const auto [got, packets] = wire.read_and_complete(all.size(), texts.size());
  check_same_bytes("what the client gets", got, all);
  std::multiset<std::size_t> sizes;
  for (const Packet& packet : packets) {
    check("the operation is tied to its connection", packet.op->connection == wire.connection);
    check_equal("wsabuf.len, which tells how much was to be sent", packet.op->wsabuf.len, packet.bytes);
    sizes.insert(packet.bytes);
  }
  std::multiset<std::size_t> expected;
  for (const std::string& text : texts) expected.insert(text.size());
  check("the sizes of the completions are those of the sends", sizes == expected);
  check_equal("bytes_in_flight until the completions are handled", wire.connection->bytes_in_flight.load(), all.size());
  for (const Packet& packet : packets) wire.done(packet);

  STEP("2000 sends of one byte; none of their completions is handled");
  for (int i = 0; i < 2000; ++i) check("post_send returns true: any number may be pending", post(wire, "x"));
  check_equal("the number of operations that are out", wire.operations.in_use(), 2000u);
  STEP("a send to a client for whom very much is under way");
  wire.connection->bytes_in_flight += std::size_t{1} << 31;
  check("post_send returns true: it knows no limit", post(wire, "y"));
  wire.connection->bytes_in_flight -= std::size_t{1} << 31;
  STEP("the client reads, and the completions are handled");
  Background reader("the client's reading", [&wire] { wire.client.receive(2001); });
  for (int i = 0; i < 2001; ++i) wire.done(wire.next());
  reader.finish();
  wire.finish();
}

LAB_TEST(Lab03, CompletionsTellReceiveFromSend, "N12, N13, N14", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  STEP("a receive and three sends are posted; the client answers");
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  for (int i = 0; i < 3; ++i) check("post_send returns true", post(wire, "question"));
  check_same_bytes("what the client gets", wire.client.receive(24), "questionquestionquestion");
  wire.client.send("an answer");
  STEP("four completions come");
  int receives = 0;
  int sends = 0;
  for (int i = 0; i < 4; ++i) {
    const Packet packet = wire.next();
    check("the operation succeeds", packet.ok);
    ++(packet.op->kind == OpKind::recv ? receives : sends);
    check_same_bytes("the operation's buffer", packet.data(), packet.op->kind == OpKind::recv ? "an answer" : "question");
    wire.done(packet);
  }
  check_equal("the number of receives", receives, 1);
  check_equal("the number of sends", sends, 3);
  wire.finish();
}

LAB_TEST(Lab03, SendTakesOneByteToAWholeBuffer, "N9, N11", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  const std::string text = pattern(2 * lab::kBufferSize, 9);
  const auto refused = [&](std::size_t size) {
    STEP("post_send of " + std::to_string(size) + " bytes");
    check("post_send returns false", !lab::post_send(wire.operations, wire.connection, text.data(), size));
    check_equal("the number of operations that are out", wire.operations.in_use(), 0u);
    check_equal("bytes_in_flight", wire.connection->bytes_in_flight.load(), 0u);
    check_equal("the number of references to the connection", wire.connection.use_count(), 1);
  };
  refused(0);
  refused(lab::kBufferSize + 1);
  refused(2 * lab::kBufferSize);
  for (const unsigned bits : {16u, 32u}) refused((std::size_t{1} << bits) + 5);  // 5, when it is cut to so many bits
  refused(static_cast<std::size_t>(-1));
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, lab::kBufferSize}) {
    STEP("post_send of " + std::to_string(size) + " bytes");
    const std::string bytes = text.substr(0, size) + std::string(lab::kBufferSize, 'N');  // N: not to be looked at
    check("post_send returns true", lab::post_send(wire.operations, wire.connection, bytes.data(), size));
    check_same_bytes("what the client gets", wire.client.receive(size), text.substr(0, size));
    const Packet packet = wire.next();
    check_equal("the number of bytes sent", packet.bytes, size);
    check("post_send copies `size` bytes, and none of those behind them",
          size == lab::kBufferSize || packet.op->buffer[size] != 'N');
    wire.done(packet);
  }
  check("nothing else was sent", wire.client.look() == End::none);
  wire.finish();
}

LAB_TEST(Lab03, SendThatCannotBePostedLeavesNothing, "N9", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  const auto refused = [](OperationLedger& operations, const std::shared_ptr<lab::Connection>& connection,
                          const std::string& why) {
    STEP("post_send on " + why);
    connection->bytes_in_flight = 1000;  // of other sends
    const bool open = static_cast<bool>(connection->lock());
    check("post_send returns false", !lab::post_send(operations, connection, "bytes", 5));
    check_equal("the number of operations that are out", operations.in_use(), 0u);
    check_equal("bytes_in_flight", connection->bytes_in_flight.load(), 1000u);
    check("the connection is as open or closed as before", static_cast<bool>(connection->lock()) == open);
    check_equal("the number of references to the connection", connection.use_count(), 1);
    connection->bytes_in_flight = 0;
  };
  for (const Unusable& one : unusable_connections()) refused(wire.operations, one.connection, one.why);
  ::shutdown(wire.connection->socket.get(), SD_SEND);
  refused(wire.operations, wire.connection, "a connection whose sending side is shut");
  wire.operations.give_only(0);
  refused(wire.operations, wire.connection, "a server that has no operation to give");
  wire.finish();
}

LAB_TEST(Lab03, SendsOfFourThreadsArriveWhole, "N7, N9, N18", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  wire.make_slow();
  constexpr std::size_t kThreads = 4, kEach = 150, kSize = 700;
  STEP("four threads send messages to one client; a fifth takes the completions");
  // Two bytes say which message it is.
  const auto message = [](std::size_t number) {
    std::string text = pattern(kSize, static_cast<unsigned>(number));
    text[0] = static_cast<char>(number / 100);
    text[1] = static_cast<char>(number % 100);
    return text;
  };
  check("post_send returns true", post(wire, "ready"));
  check_same_bytes("what the client gets", wire.client.receive(5), "ready");
  wire.done(wire.next());
  std::vector<std::unique_ptr<Background>> threads;
  std::atomic<bool> over{false};
  for (std::size_t me = 0; me < kThreads; ++me) {
    threads.push_back(std::make_unique<Background>("post_send", [&wire, &over, message, me] {
      for (std::size_t i = 0; i < kEach; ++i) check("post_send returns true", post(wire, message(me * kEach + i)));
      eventually([&] { return over.load(); });  // Wine sometimes never completes a send whose thread has ended
    }));
  }
  Background completions("the wait for the completions", [&] {
    for (std::size_t i = 0; i < kThreads * kEach; ++i) {
      const Packet packet = wire.next();
      check_equal("the number of bytes sent", packet.bytes, kSize);
      wire.done(packet);
    }
  });
  struct GiveUp {
    Wire& wire;
    std::atomic<bool>& over;
    ~GiveUp() { wire.given_up = over = true; }
  } at_the_end{wire, over};
  STEP("the client reads: each message whole, and once");  // in any order: Wine does not keep it
  std::set<std::string> missing;
  for (std::size_t number = 0; number < kThreads * kEach; ++number) missing.insert(message(number));
  for (std::size_t i = 0; i < kThreads * kEach; ++i) {
    const std::string text = wire.client.receive(kSize);
    const auto number = static_cast<std::size_t>(text[0]) * 100 + static_cast<std::size_t>(text[1]);
    check("a message begins where the last one ended", number < kThreads * kEach);
    check_same_bytes("a message", text, message(number));
    check("no message comes twice", missing.erase(text) == 1);
  }
  completions.finish();
  over = true;
  for (auto& thread : threads) thread->finish();
  wire.finish();
}

// --- Calls that fail, and every order of things -----------------------------------------------------------------------

LAB_TEST(Lab03, CallsThatFailLeaveNothing, "N8, N9", "lab03_overlapped_ex/README.md#step-5") {
  Wire wire;
  Faults faults;
  const auto check_nothing_left = [&](std::size_t bytes) {
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    check_equal("the number of operations that are out", wire.operations.in_use(), 0u);
    check_equal("bytes_in_flight", wire.connection->bytes_in_flight.load(), bytes);
    check_equal("the number of references to the connection", wire.connection.use_count(), 1);
    check("the connection is open", static_cast<bool>(wire.connection->lock()));
  };
  for (const int code : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAESHUTDOWN, WSAENOTCONN, WSAEINTR,
                         WSAEWOULDBLOCK, WSAEINPROGRESS, WSAETIMEDOUT, WSAEINVAL, WSAENETDOWN}) {
    const std::string how = " fails at once with " + std::to_string(code);
    STEP("WSARecv" + how + ", in start_recv and in post_recv");
    faults.fail(Call::WSARecv, code);
    check("start_recv returns false", !lab::start_recv(wire.operations, wire.connection));
    check_nothing_left(0);
    OverlappedEx* op = wire.operations.acquire(OpKind::recv);
    op->connection = wire.connection;
    faults.fail(Call::WSARecv, code);
    check("post_recv returns false", !lab::post_recv(op));
    check("the operation is still the caller's", wire.operations.is_out(op));
    check("it still has its connection", op->connection == wire.connection);
    STEP("the same operation is posted again, and all is well");
    check("post_recv returns true", lab::post_recv(op));
    wire.client.send("hello");
    const Packet packet = wire.next();
    expect_receive(packet, "hello");
    wire.done(packet);

    STEP("WSASend" + how);
    wire.connection->bytes_in_flight = 1000;  // of other sends
    faults.fail(Call::WSASend, code);
    check("post_send returns false", !post(wire, "not to be sent"));
    check_nothing_left(1000);
    wire.connection->bytes_in_flight = 0;
    STEP("the next send is well");
    check("post_send returns true", post(wire, "sent"));
    check_same_bytes("what the client gets", wire.client.receive(4), "sent");
    wire.done(wire.next());
    check_nothing_left(0);
  }
  STEP("a send in the middle of others fails");
  faults.fail(Call::WSASend, WSAENOBUFS, 1, 2);
  check("post_send returns true", post(wire, "one"));
  check("post_send returns true", post(wire, "two"));
  check("post_send returns false", !post(wire, "three"));
  check("post_send returns true", post(wire, "four"));
  check_equal("bytes_in_flight", wire.connection->bytes_in_flight.load(), 10u);
  check_equal("the number of operations that are out", wire.operations.in_use(), 3u);
  for (int i = 0; i < 3; ++i) wire.done(wire.next());
  check_equal("the number of bytes that the client gets", wire.client.receive(10).size(), 10u);

  STEP("a source locks the connection when an operation is acquired or released: the caller must not have locked it");
  const auto lock_it = [&wire] {
    Background("a source locks the connection", [&wire] { wire.connection->lock(); }).finish();
  };
  wire.operations.before_acquire = wire.operations.before_release = lock_it;
  faults.fail(Call::WSARecv, WSAENOBUFS);
  check("start_recv returns false", !lab::start_recv(wire.operations, wire.connection));
  faults.fail(Call::WSASend, WSAENOBUFS);
  check("post_send returns false", !post(wire, "not to be sent"));
  wire.operations.before_acquire = wire.operations.before_release = nullptr;
  check_nothing_left(0);

  STEP("bytes_in_flight is looked at during WSASend");
  std::size_t during = 0;
  faults.meanwhile(Call::WSASend, [&] { during = wire.connection->bytes_in_flight; });
  check("post_send returns true", post(wire, "five!"));
  check_equal("bytes_in_flight during the call", during, 5u);
  check_same_bytes("what the client gets", wire.client.receive(5), "five!");
  wire.done(wire.next());

  STEP("WSARecv and WSASend fail 300 times each, then they go well");
  faults.fail(Call::WSARecv, WSAENOBUFS, 300);
  faults.fail(Call::WSASend, WSAENOBUFS, 300);
  for (int i = 0; i < 300; ++i) {
    check("start_recv returns false", !lab::start_recv(wire.operations, wire.connection));
    check("post_send returns false", !post(wire, "not to be sent"));
  }
  check_nothing_left(0);
  check("start_recv returns true", lab::start_recv(wire.operations, wire.connection));
  check("post_send returns true", post(wire, "sent"));
  check_same_bytes("what the client gets", wire.client.receive(4), "sent");
  wire.done(wire.next());

  STEP("another server has operations of its own; calls fail for both");
  Wire other;
  for (Wire* const each : {&other, &wire}) {
    const std::size_t out = each->operations.in_use();
    faults.fail(Call::WSARecv, WSAENOBUFS);
    check("start_recv returns false", !lab::start_recv(each->operations, each->connection));
    faults.fail(Call::WSASend, WSAENOBUFS);
    check("post_send returns false", !post(*each, "not to be sent"));
    each->operations.check_in_order();
    check_equal("the number of operations that are out", each->operations.in_use(), out);
  }
  other.finish();

  STEP("there is no memory for an operation, on a connection that is closed: a post throws or returns false");
  lab::HeapOperations heap;
  const auto closed = std::make_shared<lab::Connection>();
  const auto without_memory = [&](const std::function<bool()>& posts) {
    bool posted = false;
    no_memory = true;
    try {
      posted = posts();
    } catch (const std::bad_alloc&) {
    }
    no_memory = false;
    check("it did not return true", !posted);
    check_equal("in_use()", heap.in_use(), 0u);
    check_equal("bytes_in_flight", closed->bytes_in_flight.load(), 0u);
    check_equal("the number of references to the connection", closed.use_count(), 1);
  };
  without_memory([&] { return lab::start_recv(heap, closed); });
  without_memory([&] { return lab::post_send(heap, closed, "bytes", 5); });
  wire.finish();
}

namespace {

// Ends the threads that serve, also when a check fails. Declare it after the conductor: it goes first.
struct StopServing {
  std::vector<Wire*> wires;
  ~StopServing() {
    for (Wire* wire : wires) wire->stop_serving();
  }
};

}  // namespace

LAB_TEST(Lab03, SeedsOfSendsToTwoClients, "N7, N9, N18", "lab03_overlapped_ex/README.md#step-5") {
  STEP("four threads send to two clients, two others handle the completions; the seed chooses who goes on");
  for_each_seed(30, [](std::uint64_t seed) {
    Wire wires[2];
    std::map<std::string, bool> sent[2];  // what post_send returned, for each message
    for (unsigned i = 0; i < 4; ++i) {
      for (unsigned w = 0; w < 2; ++w) sent[w][std::to_string(i) + pattern(9, i * 2 + w)] = false;
    }
    const bool scarce = seed % 3 == 0;
    {
      Conductor conductor(seed);
      const StopServing stop{{&wires[0], &wires[1]}};
      if (scarce) wires[0].operations.give_only(2);
      for (Wire& wire : wires) conductor.call("the completion thread", [&wire] { wire.serve(); });
      for (unsigned i = 0; i < 4; ++i) {
        conductor.call("post_send", [&, i] {
          for (unsigned k = 0; k < 2; ++k) {
            const unsigned w = (i + k) % 2;
            auto& [text, taken] = *std::next(sent[w].begin(), i);
            taken = post(wires[w], text);
          }
        });
      }
      conductor.play();
    }
    for (unsigned w = 0; w < 2; ++w) {
      std::size_t count = 0;
      for (const auto& [text, taken] : sent[w]) count += taken ? 1 : 0;
      check_equal("how many calls of post_send returned true", count, scarce && w == 0 ? 2u : 4u);
      const std::string got = wires[w].client.receive(count * 10);
      for (std::size_t at = 0; at < got.size(); at += 10) {
        const auto found = sent[w].find(got.substr(at, 10));
        check("each message comes whole, and once", found != sent[w].end() && found->second);
        found->second = false;
      }
      check_equal("bytes_in_flight", wires[w].connection->bytes_in_flight.load(), 0u);
      check_equal("the number of operations that are out", wires[w].operations.in_use(), 0u);
    }
    for (Wire& wire : wires) wire.finish();
  });
  STEP("four threads start the receives of four clients; some seeds have closed the connections before");
  for_each_seed(20, [](std::uint64_t seed) {
    const bool open = seed % 3 != 0;
    Wire wires[4];
    for (unsigned w = 0; w < 4; ++w) {
      wires[w].client.send(std::string(9, static_cast<char>('a' + w)));
      wires[w].wait_for_bytes(9);
      if (!open) wires[w].connection->close();
    }
    {
      Conductor conductor(seed);
      const StopServing stop{{&wires[0]}};
      conductor.call("the completion thread of one client", [&wires] { wires[0].serve(); });
      for (Wire& wire : wires) {
        conductor.call("start_recv", [&wire, open] {
          check(open ? "start_recv returns true" : "start_recv returns false",
                lab::start_recv(wire.operations, wire.connection) == open);
        });
      }
      conductor.play();
    }
    for (unsigned w = 0; w < 4; ++w) {
      check_equal("the number of operations that are out", wires[w].operations.in_use(), open && w > 0 ? 1u : 0u);
      if (open && w > 0) {
        const Packet packet = wires[w].next();
        wires[w].received = packet.data();
        wires[w].done(packet);
      }
      check("something was received", wires[w].received.empty() == !open);
      check("what was received is of this client",
            wires[w].received.find_first_not_of(static_cast<char>('a' + w)) == std::string::npos);
      wires[w].finish();
    }
  });
}

LAB_TEST(Lab03, SeedsOfCompletionsBeforeTheReturn, "N8, N9, N13", "lab03_overlapped_ex/README.md#step-3") {
  STEP("a receive is pending, and its completion is handled before post_recv has returned");
  {
    Wire wire;
    Faults faults;
    OverlappedEx* op = wire.operations.acquire(OpKind::recv);
    op->connection = connection_with(std::move(wire.connection->socket));
    const std::weak_ptr<lab::Connection> watch = op->connection;
    faults.meanwhile(Call::WSARecv, [&wire] {
      wire.client.send("!");
      wire.done(wire.next());
    });
    check("post_recv returns true, also when the connection goes with its last reference", lab::post_recv(op));
    check_equal("the number of operations that are out", wire.operations.in_use(), 0u);
    check("the connection has gone", watch.expired());
    wire.client.expect_closed();
    wire.finish();
  }
  STEP("a completion is handled on another thread before post_recv or post_send has returned");
  const auto play = [](std::uint64_t seed, bool with_send) {
    Wire wire;
    wire.client.send("!");
    wire.wait_for_bytes(1);
    // Where the connection was: when it has gone, nobody may write there. A mutex that is unlocked too late would.
    alignas(lab::Connection) static unsigned char place[sizeof(lab::Connection)];
    bool gone = false;
    std::shared_ptr<lab::Connection> connection(new (place) lab::Connection, [&gone](lab::Connection* last) {
      last->~Connection();
      std::memset(place, 0, sizeof place);
      gone = true;
    });
    connection->socket = std::move(wire.connection->socket);
    {
      Conductor conductor(seed);
      const StopServing stop{{&wire}};
      conductor.call("the completion thread", [&] { wire.serve(); });
      OverlappedEx* op = wire.operations.acquire(OpKind::recv);
      op->connection = connection;
      if (with_send) {
        conductor.call("post_send", [&, connection] {
          check("post_send returns true", lab::post_send(wire.operations, connection, "hello", 5));
        });
      }
      conductor.call("post_recv", [op] { check("post_recv returns true", lab::post_recv(op)); });
      connection.reset();  // from here on the operations hold the connection, and nobody else
      conductor.play();
      check_equal("the number of operations that are out", wire.operations.in_use(), 0u);
    }
    check_same_bytes("what was received", wire.received, "!");
    check_same_bytes("what the client gets before its end", wire.client.receive_until_end(), with_send ? "hello" : "");
    check("the connection has gone with its last operation", gone);
    check("nobody has used the connection after that",
          std::all_of(std::begin(place), std::end(place), [](unsigned char byte) { return byte == 0; }));
    wire.finish();
  };
  for_each_seed(30, [&](std::uint64_t seed) { play(seed, seed % 3 != 0); });
  STEP("the same in every order: a receive with at most two preemptions, a receive and a send with at most one");
  for_each_order(2, [&](std::uint64_t seed) { play(seed, false); });
  for_each_order(1, [&](std::uint64_t seed) { play(seed, true); });
}

LAB_TEST(Lab03, SeedsOfACloseInTheMiddle, "N8, N9", "lab03_overlapped_ex/README.md#step-3") {
  STEP("a thread holds the connection's lock, then closes it, while another thread posts");
  for_each_seed(90, [](std::uint64_t seed) {
    Wire wire;
    const SOCKET socket = wire.connection->socket.get();
    // Each of the two calls takes a while.
    std::atomic<bool> posting{false};
    const auto during = [&posting] {
      posting = true;
      for (int i = 0; i < 4; ++i) yield_point("in the call");
      posting = false;
    };
    Faults faults;
    faults.meanwhile(Call::WSARecv, during);
    faults.meanwhile(Call::WSASend, during);
    {
      Conductor conductor(seed);
      const StopServing stop{{&wire}};
      conductor.call("the completion thread", [&] { wire.serve(); });
      if (seed / 2 % 2 == 0) {  // even and odd seeds choose in different ways
        conductor.call("start_recv", [&] {
          const bool answer = lab::start_recv(wire.operations, wire.connection);
          check("start_recv returns true when it has posted a receive, else false",
                answer == (count_of(Call::WSARecv, socket) > 0));
        });
      } else {
        conductor.call("post_send", [&] {
          const bool answer = post(wire, "hello");
          check("post_send returns true when it has posted a send, else false",
                answer == (count_of(Call::WSASend, socket) > 0));
        });
      }
      conductor.call("lock and close", [&] {
        for (auto round = seed / 4 % 3; round < 2; ++round) {  // some seeds close at once
          const auto locked = wire.connection->lock();
          const auto posts = [&] { return count_of(Call::WSARecv, socket) + count_of(Call::WSASend, socket); };
          const std::size_t before = posts();
          bool met = posting;
          for (int i = 0; i < 4; ++i) {
            yield_point("in the lock");
            met = met || posting;
          }
          check("nobody posts while another thread has the connection's lock: it may be about to close the socket",
                !met && posts() == before);
        }
        check("close() is the one that closes it", wire.connection->close());
      });
      conductor.play();
      check_equal("the number of operations that are out", wire.operations.in_use(), 0u);
      check_equal("bytes_in_flight", wire.connection->bytes_in_flight.load(), 0u);
    }
    const std::vector<std::string> calls = calls_on(socket);
    const auto closed = std::find(calls.begin(), calls.end(), "closesocket");
    check("the socket is closed", closed != calls.end());
    check("nothing is posted on a socket that is closed: by then it may be a new client's",
          std::find(closed, calls.end(), "WSARecv") == calls.end() && std::find(closed, calls.end(), "WSASend") == calls.end());
    wire.client.receive_until_end();
    wire.finish();
  });
}

namespace {

// One operation for the thread that made it: so threads meet at nothing but the connection.
class OneOperation : public lab::OperationSource {
 public:
  OverlappedEx* acquire(OpKind kind) override {
    op_.overlapped = {};
    op_.kind = kind;
    op_.wsabuf = {static_cast<ULONG>(lab::kBufferSize), op_.buffer};
    return &op_;
  }
  bool release(OverlappedEx*) override {
    op_.connection.reset();
    return true;
  }
  std::size_t in_use() const override { return 0; }

 private:
  OverlappedEx op_;
};

// What `round` gives runs on three threads at once, often enough for ThreadSanitizer and, with some luck, for a sum that is lost.
void on_three_threads(const std::string& what, const std::function<std::function<void()>()>& round) {
  on_threads(what, 3, [&](unsigned) {
    const std::function<void()> mine = round();
    for (int i = 0; i < 2000; ++i) mine();
  });
}

}  // namespace

LAB_TEST(Lab03, ThreadsCountTogether, "N7, N9", "lab03_overlapped_ex/README.md#step-5") {
  lab::HeapOperations operations;
  two_at_the_operations(operations);
  STEP("three threads acquire and release operations");
  on_three_threads("acquire and release", [&] { return [&] { operations.release(operations.acquire(OpKind::send)); }; });
  check_equal("in_use() in the end", operations.in_use(), 0u);

  STEP("a thread stands still in post_send, on a connection that is closed; sends of others begin and complete");
  const auto closed = std::make_shared<lab::Connection>();
  const auto sender = [&] {
    return [&, one = std::make_shared<OneOperation>()] {
      if (lab::post_send(*one, closed, "bytes", 5)) fail("expected that post_send returns false, but it returned true");
    };
  };
  const auto send = sender();
  const auto others_have = [&](std::size_t bytes) { return [&, bytes] { closed->bytes_in_flight = bytes; }; };
  at_each_instruction({"post_send", "a send that begins", others_have(1000), send, [&] { closed->bytes_in_flight += 7; },
                       [&] { check_equal("bytes_in_flight", closed->bytes_in_flight.load(), 1007u); }});
  at_each_instruction({"post_send", "the end of a send", others_have(1000), send, [&] { closed->bytes_in_flight -= 7; },
                       [&] { check_equal("bytes_in_flight", closed->bytes_in_flight.load(), 993u); }});
  STEP("three threads send on it");
  closed->bytes_in_flight = 1000;
  on_three_threads("post_send", sender);
  check_equal("bytes_in_flight in the end", closed->bytes_in_flight.load(), 1000u);
}

// --- The program -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab03, ProgramSendsBackEveryByte, "N3, N7", "lab03_overlapped_ex/README.md#step-6") {
  ServerProgram server;
  STEP("a client sends byte by byte");
  TestClient first(server.port);
  check_echo(first, pattern(60, 1), 1);
  STEP("then pieces that are larger than a buffer");
  check_echo(first, pattern(8 * 50000, 2), 50000);
  STEP("30 clients send at once, while others are silent");
  std::vector<TestClient> clients = connect_many(server.port, 30);
  for (unsigned round = 0; round < 5; ++round) {
    for (unsigned i = 0; i < 25; ++i) clients[i].send(pattern(3000 + i, i + round));
    for (unsigned i = 0; i < 25; ++i) {
      check_same_bytes("the echo", clients[i].receive(3000 + i), pattern(3000 + i, i + round));
    }
  }
  for (unsigned i = 25; i < 30; ++i) check("a silent client stays connected", clients[i].look() == End::none);
  STEP("Ctrl+C, with all of them connected");
  server.stop();
  for (TestClient& client : clients) client.expect_closed();
}

LAB_TEST(Lab03, ProgramOutlivesItsClients, "N8, N9", "lab03_overlapped_ex/README.md#step-6") {
  ServerProgram server({"--max-clients", "3"});
  STEP("clients leave in every way, again and again; one stays");
  TestClient stays(server.port);
  check_echo(stays, "hello", 5);
  for (int i = 0; i < 5; ++i) {
    TestClient closes(server.port);
    check_echo(closes, "first", 5);
    TestClient resets(server.port);
    check_echo(resets, "second", 6);
    closes.half_close();
    closes.expect_closed();
    server.wait_for_line(" left");
    resets.send(pattern(10000, 7));
    resets.abort();
    server.wait_for_line(" left");
    check_echo(stays, "still here", 10);
  }
  STEP("another program wants the same port");
  Program second({"--port", std::to_string(server.port)});
  check_equal("its exit code", second.wait_for_exit(), 1);
  STEP("a wrong option");
  Program wrong({"--port", "70000"});
  check_equal("its exit code", wrong.wait_for_exit(), 2);
  STEP("Ctrl+C");
  server.stop();
  check("it prints a summary", server.output().find("stopped: ") != std::string::npos);
}
