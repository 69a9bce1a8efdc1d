// Tests of lab 04: one completion, one worker, many workers.
//
// Some tests have no threads: the test takes the completions out of the port itself and gives them to handle_completion.
// The others run your workers.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "child_process.h"
#include "conductor.h"
#include "crowd.h"
#include "echo.h"
#include "interrupted.h"
#include "operation_ledger.h"
#include "thread_end.h"
#include "worker.h"

using namespace test;
using lab::OpKind;
using lab::OverlappedEx;

namespace {

using ConnectionPtr = std::shared_ptr<lab::Connection>;

// A handler that writes down what it is told, and looks whether it may be told so.
class Recorder : public lab::Handler {
 public:
  struct Client {
    std::string received;
    std::size_t receives = 0;     // calls of on_recv
    std::size_t sent = 0;         // calls of on_sent
    std::size_t sent_bytes = 0;
    std::size_t in_flight_at_on_sent = 0;
    int disconnects = 0;
    std::string why;              // of the last disconnect
    bool in_on_recv = false;
  };

  // What on_recv does with the bytes. The default sends them back. Set it before the first client comes.
  std::function<bool(lab::Server&, const ConnectionPtr&, const std::string&)> reply =
      [](lab::Server& server, const ConnectionPtr& connection, const std::string& bytes) {
        return lab::send_bytes(server, connection, bytes.data(), bytes.size());
      };

  // What a handler does in its other functions. Set them before the first client comes.
  std::function<void(lab::Server&, const ConnectionPtr&)> at_sent, at_disconnect;
  const lab::Server* mine = nullptr;  // the one and only, if set

  bool on_recv(lab::Server& server, const ConnectionPtr& connection, const char* data, std::size_t size) override {
    {
      std::lock_guard lock(mutex_);
      look_at(server);
      Client& client = clients_[connection->id];
      if (client.in_on_recv) note("on_recv was called twice at once for one client");
      if (size == 0 || size > lab::kBufferSize) note("on_recv was called with " + std::to_string(size) + " bytes");
      if (size > lab::kBufferSize) return false;
      client.in_on_recv = true;
      ++client.receives;
      client.received.append(data, size);
    }
    const std::string bytes(data, size);
    const bool going_on = reply(server, connection, bytes);
    const bool same = bytes == std::string_view(data, size);
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    if (!same) note("the bytes changed while on_recv was using them");
    clients_[connection->id].in_on_recv = false;
    return going_on;
  }

  void on_sent(lab::Server& server, const ConnectionPtr& connection, std::size_t size) override {
    stand_still_no_more();  // what follows is the test's own
    yield_point("on_sent");
    {
      const OutOfSight hidden;
      std::lock_guard lock(mutex_);
      look_at(server);
      Client& client = clients_[connection->id];
      ++client.sent;
      client.sent_bytes += size;
      client.in_flight_at_on_sent = connection->bytes_in_flight;
    }
    if (at_sent) at_sent(server, connection);
  }

  void on_disconnect(lab::Server& server, const ConnectionPtr& connection, const char* why) override {
    stand_still_no_more();
    const bool in_table = server.clients.find(connection->id) != nullptr;
    const bool open = static_cast<bool>(connection->lock());
    yield_point("on_disconnect");
    {
      const OutOfSight hidden;
      std::lock_guard lock(mutex_);
      look_at(server);
      Client& client = clients_[connection->id];
      if (in_table) note("on_disconnect was called while the client was in the table");
      if (open) note("on_disconnect was called while the socket was open");
      if (why == nullptr) note("on_disconnect was called without a reason");
      if (++client.disconnects > 1) note("on_disconnect was called twice for one client");
      client.why = why == nullptr ? "" : why;
    }
    if (at_disconnect) at_disconnect(server, connection);
  }

  Client of(const ConnectionPtr& connection) const {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(connection->id);
    return found == clients_.end() ? Client{} : found->second;
  }

  void check_in_order() const {
    std::lock_guard lock(mutex_);
    if (!wrong_.empty()) fail("expected that the handler is called in order, but " + wrong_);
  }

 private:
  void look_at(const lab::Server& server) {
    if (mine != nullptr && &server != mine) note("it got another Server, perhaps a copy");
  }
  void note(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  mutable std::mutex mutex_;  // protects what follows
  std::map<lab::ClientId, Client> clients_;
  std::string wrong_;  // the first thing that was wrong
};

// A client of the test, and the server's object for it.
struct Guest {
  TestClient client;
  ConnectionPtr connection;

  // Both sides keep little, so sends to a client that does not read stay pending.
  void make_slow(int receive_buffer = 16 * 1024) {
    const int little = 16 * 1024;
    ::setsockopt(connection->socket.get(), SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char*>(&little), sizeof little);
    ::setsockopt(client.socket(), SOL_SOCKET, SO_RCVBUF, reinterpret_cast<const char*>(&receive_buffer), sizeof little);
  }
};

// What came out of the port.
struct Packet {
  bool ok;
  DWORD bytes;
  OverlappedEx* op;
};

// Gives the same memory to each object, one after the other.
template <class T>
struct OnePlace {
  using value_type = T;
  OnePlace(char* p, std::size_t s) : place(p), size(s) {}
  template <class U>
  OnePlace(const OnePlace<U>& other) : place(other.place), size(other.size) {}
  T* allocate(std::size_t count) {
    check("the object has room in its place", count * sizeof(T) <= size);
    return reinterpret_cast<T*>(place);
  }
  void deallocate(T*, std::size_t) {}
  template <class U>
  bool operator==(const OnePlace<U>& other) const {
    return place == other.place;
  }
  char* place;
  std::size_t size;
};

// A server in the test's own process. It has no accept thread: a guest comes in by enter().
class TestServer {
 public:
  TestServer() : parts_(std::make_shared<Parts>()) { handler().mine = &get(); }

  // After a failed check. Student's threads that cannot be ended keep what they use.
  ~TestServer() {
    if (finished_) return;
    for (const ConnectionPtr& connection : parts_->connections) connection->close();
    for (std::size_t i = 0; i < parts_->workers.size(); ++i) {
      ::PostQueuedCompletionStatus(parts_->port.get(), 0, lab::kQuitKey, nullptr);
    }
    const bool joined = ends_within(std::chrono::seconds(2), [parts = parts_] {
      for (std::thread& worker : parts->workers) {
        if (worker.joinable()) worker.join();
      }
    });
    if (!joined) return;
    eventually(
        [&] {
          Packet packet{};
          while (in_use() > 0 && take(packet, 0)) operations().release(packet.op);
          return in_use() == 0;
        },
        std::chrono::milliseconds(200));
  }

  // A new client: connected, in the table, tied to the port; and its first receive is pending.
  Guest enter() {
    Guest guest = enter_without_receive();
    check("start_recv returns true", lab::start_recv(operations(), guest.connection));
    return guest;
  }
  Guest enter_without_receive() {
    Guest guest{TestClient(parts_->listener.port), std::make_shared<lab::Connection>()};
    enter(guest.connection);
    parts_->connections.push_back(guest.connection);
    return guest;
  }
  // The next client that connects gets this object, which the server does not keep.
  void enter(const ConnectionPtr& connection) {
    connection->socket = parts_->listener.accept();
    lab::set_no_delay(connection->socket);
    check("the table takes the client", parts_->clients.insert(connection));
    const auto socket = reinterpret_cast<HANDLE>(connection->socket.get());
    const auto key = reinterpret_cast<ULONG_PTR>(static_cast<lab::Client*>(connection.get()));
    if (::CreateIoCompletionPort(socket, parts_->port.get(), key, 0) == nullptr) {
      fail("the test's own CreateIoCompletionPort failed with " + std::to_string(::GetLastError()));
    }
  }
  Listener& listener() { return parts_->listener; }

  // A client whom nobody will hear of: a socket, and a place in the table.
  ConnectionPtr enter_for_a_moment() {
    const auto connection = std::make_shared<lab::Connection>();
    connection->socket = lab::UniqueSocket(::WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED));
    check("the table takes the client", parts_->clients.insert(connection));
    return connection;
  }

  void start(unsigned count) {
    parts_->workers = lab::start_workers(get(), count);
    check_equal("the number of threads that start_workers gives", parts_->workers.size(), count);
  }
  void stop() {
    Background stopping("stop_workers", [this] { lab::stop_workers(get(), parts_->workers); });
    stopping.finish();
    check("no worker is left in the list", parts_->workers.empty());
    Packet packet{};
    check("no packet is left in the port", !take(packet, 0));
  }

  void stop_after_the_last_operation() {
    for (const auto& client : parts_->clients.snapshot()) {
      lab::disconnect(get(), std::static_pointer_cast<lab::Connection>(client), "the workers are to end");
    }
    check_eventually("every operation is released", [&] { return in_use() == 0; });
    stop();
  }

  // For a server without workers: the next completion; it must come.
  Packet next() {
    Packet packet{};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience()).count();
    if (!take(packet, static_cast<DWORD>(limit))) fail("expected that a completion comes, but none came");
    operations().operation_of(&packet.op->overlapped);
    return packet;
  }
  void handle(const Packet& packet) { lab::handle_completion(get(), packet.op, packet.ok, packet.bytes); }

  // The end of a test that went well: everybody is disconnected, and everything comes back.
  void finish() {
    STEP("the server disconnects everybody, and drains");
    for (const auto& client : parts_->clients.snapshot()) {
      lab::disconnect(get(), std::static_pointer_cast<lab::Connection>(client), "the test ends");
    }
    if (parts_->workers.empty()) {
      while (in_use() > 0) handle(next());
    } else {
      check_eventually("every operation is released in the end", [&] { return in_use() == 0; });
      STEP("the workers are stopped");
      stop();
    }
    handler().check_in_order();
    operations().check_in_order();
    check_equal("the number of clients in the table", parts_->clients.size(), 0u);
    for (const ConnectionPtr& connection : parts_->connections) {
      check_equal("the number of calls of on_disconnect for a client", handler().of(connection).disconnects, 1);
      check_equal("bytes_in_flight in the end", connection->bytes_in_flight.load(), 0u);
    }
    finished_ = true;
  }

  lab::Server& get() { return parts_->server; }
  OperationLedger& operations() { return parts_->operations; }
  Recorder& handler() { return parts_->handler; }
  lab::ClientTable& clients() { return parts_->clients; }
  std::size_t in_use() const { return parts_->operations.in_use(); }

  bool is_gone(const Guest& guest) const {
    return parts_->clients.find(guest.connection->id) == nullptr && parts_->handler.of(guest.connection).disconnects > 0;
  }
  void expect_gone(Guest& guest) {
    check_equal("the number of calls of on_disconnect", handler().of(guest.connection).disconnects, 1);
    check("the client is not in the table", clients().find(guest.connection->id) == nullptr);
    check("its connection is closed", !guest.connection->lock());
  }

 private:
  bool take(Packet& packet, DWORD milliseconds) {
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    packet.ok = ::GetQueuedCompletionStatus(parts_->port.get(), &packet.bytes, &key, &overlapped, milliseconds) != FALSE;
    packet.op = CONTAINING_RECORD(overlapped, OverlappedEx, overlapped);
    return overlapped != nullptr || packet.ok;
  }

  struct Parts {
    OperationLedger operations;
    Recorder handler;
    lab::ClientTable clients{1000};
    lab::UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 8)};
    Listener listener;
    std::vector<ConnectionPtr> connections;  // all that ever came in
    lab::Server server{port.get(), clients, operations, handler};
    std::vector<std::thread> workers;
  };
  std::shared_ptr<Parts> parts_;
  bool finished_ = false;
};

// Operations as they are when their completions come. The test makes up the completions.
OverlappedEx* made_up_send(TestServer& server, const ConnectionPtr& connection, std::size_t size) {
  OverlappedEx* op = server.operations().acquire(OpKind::send);
  op->connection = connection;
  op->wsabuf.len = static_cast<ULONG>(size);
  connection->bytes_in_flight += size;
  return op;
}
OverlappedEx* made_up_send(TestServer& server, const Guest& guest, std::size_t size) {
  return made_up_send(server, guest.connection, size);
}
OverlappedEx* made_up_recv(TestServer& server, const ConnectionPtr& connection) {
  OverlappedEx* op = server.operations().acquire(OpKind::recv);
  op->connection = connection;
  return op;
}

// A client that comes for this alone: a send completes, it is disconnected, and a receive completes that came before.
void handle_all_of_a_stranger(TestServer& server) {
  const ConnectionPtr connection = server.enter_for_a_moment();
  server.handle({true, 5, made_up_send(server, connection, 5)});
  lab::disconnect(server.get(), connection, "the test says so");
  server.handle({true, 5, made_up_recv(server, connection)});
}

// Its completion, without its bytes ever having gone anywhere: for a worker it is as any other.
void post_made_up_send(TestServer& server, const Guest& guest, std::size_t size) {
  OverlappedEx* op = made_up_send(server, guest, size);
  const auto key = reinterpret_cast<ULONG_PTR>(static_cast<lab::Client*>(guest.connection.get()));
  ::PostQueuedCompletionStatus(server.get().port, static_cast<DWORD>(size), key, &op->overlapped);
}

// Keeps workers in on_recv until it is open, and sees them leave.
struct Gate {
  std::atomic<int> inside{0};  // how many are there now
  std::atomic<bool> open{false};
  std::atomic<bool> stopped{false};  // stop_workers has returned
  std::atomic<int> left{0};
  // The test waits for `inside` no longer than its patience. Who is here stays longer: else a second worker could come in
  // when the first one has given up, and look like two at the same time.
  void pass() {
    ++inside;
    eventually([this] { return open.load(); }, 2 * patience());
    --inside;
  }
};

// This thread's end is counted. It takes its time, so who does not wait for the thread is seen.
void count_end(const std::shared_ptr<Gate>& gate) {
  at_thread_end([gate] {
    eventually([&] { return gate->stopped.load(); }, std::chrono::milliseconds(50));
    ++gate->left;
  });
}

bool send(TestServer& server, const Guest& guest, const std::string& bytes) {
  return lab::send_bytes(server.get(), guest.connection, bytes.data(), bytes.size());
}

}  // namespace

// --- disconnect and send_bytes ---------------------------------------------------------------------------------------

LAB_TEST(Lab04, DisconnectEndsAClientOnce, "N5, N14", "lab04_worker/README.md#step-1") {
  TestServer server;
  Guest guest = server.enter();
  STEP("a client is disconnected");
  lab::disconnect(server.get(), guest.connection, "the test says so");
  server.expect_gone(guest);
  guest.client.expect_closed();
  STEP("and again");
  lab::disconnect(server.get(), guest.connection, "the test says so again");
  server.expect_gone(guest);
  check_same_bytes("the reason that on_disconnect was told", server.handler().of(guest.connection).why, "the test says so");
  STEP("a client is disconnected while another thread holds its lock, as for a WSASend");
  Guest busy = server.enter();
  const SOCKET socket = busy.connection->socket.get();
  std::unique_ptr<Background> ending;
  {
    const auto locked = busy.connection->lock();
    ending = std::make_unique<Background>(
        "disconnect", [&] { lab::disconnect(server.get(), busy.connection, "while it is locked"); });
    eventually([&] { return count_of(Call::closesocket, socket) > 0; }, std::chrono::milliseconds(50));
    check("the socket is still open while the lock is held", count_of(Call::closesocket, socket) == 0);
  }
  ending->finish();
  server.expect_gone(busy);

  STEP("a thread stands still in disconnect, and another one disconnects the same client");
  ConnectionPtr leaving;
  const auto disconnects = [&](const char* why) { return [&, why] { lab::disconnect(server.get(), leaving, why); }; };
  at_each_instruction({"disconnect", "disconnect", [&] { leaving = server.enter_for_a_moment(); }, disconnects("one says so"),
                       disconnects("another one says so"), [&] {
                         check_equal("the number of calls of on_disconnect", server.handler().of(leaving).disconnects, 1);
                         check("the client is not in the table", server.clients().find(leaving->id) == nullptr);
                         check("its connection is closed", !leaving->lock());
                       }});

  STEP("a thread stands still in send_bytes, and another one disconnects the same client; or the other way round");
  const auto sends = [&] { lab::send_bytes(server.get(), leaving, "bytes", 5); };  // its socket has no other end
  const auto has_ended = [&, before = server.in_use()] {
    check_equal("the number of calls of on_disconnect", server.handler().of(leaving).disconnects, 1);
    check_equal("bytes_in_flight", leaving->bytes_in_flight.load(), 0u);
    check_equal("the number of operations that are out", server.in_use(), before);
  };
  const auto comes = [&] { leaving = server.enter_for_a_moment(); };
  at_each_instruction({"disconnect", "send_bytes", comes, disconnects("one says so"), sends, has_ended});
  at_each_instruction({"send_bytes", "disconnect", comes, sends, disconnects("one says so"), has_ended});

  STEP("20 clients, each disconnected by four threads at once");
  std::vector<Guest> guests;
  for (int i = 0; i < 20; ++i) guests.push_back(server.enter());
  std::atomic<unsigned> turn{0};
  on_threads("disconnect", 4, [&](unsigned) {
    for (unsigned k = 0; k < guests.size(); ++k) {
      ++turn;
      while (turn < 4 * (k + 1)) std::this_thread::yield();  // all four begin together
      lab::disconnect(server.get(), guests[k].connection, "four threads say so");
    }
  });
  for (Guest& one : guests) {
    server.expect_gone(one);
    one.client.expect_closed();
  }
  server.handler().check_in_order();
  server.finish();
}

LAB_TEST(Lab04, SendBytesKeepsTheLimit, "N7", "lab04_worker/README.md#step-2") {
  TestServer server;
  server.get().max_bytes_in_flight = 10000;
  STEP("9900 bytes are outstanding; 100 more are just within the limit of 10000");
  Guest within = server.enter_without_receive();
  within.connection->bytes_in_flight = 9900;
  const std::string text = pattern(100, 1);
  check("send_bytes returns true", send(server, within, text));
  check_equal("bytes_in_flight", within.connection->bytes_in_flight.load(), 10000u);
  check_same_bytes("what the client gets", within.client.receive(100), text);
  server.handle(server.next());
  check_equal("bytes_in_flight after the completion", within.connection->bytes_in_flight.load(), 9900u);
  check_equal("the number of calls of on_disconnect", server.handler().of(within.connection).disconnects, 0);
  within.connection->bytes_in_flight = 0;

  STEP("9901 bytes are outstanding; 100 more are too many");
  Guest beyond = server.enter_without_receive();
  beyond.connection->bytes_in_flight = 9901;
  check("send_bytes returns false", !send(server, beyond, text));
  server.expect_gone(beyond);
  beyond.client.expect_closed();
  check_equal("the number of operations that are out", server.in_use(), 0u);
  check_equal("bytes_in_flight", beyond.connection->bytes_in_flight.load(), 9901u);
  beyond.connection->bytes_in_flight = 0;

  STEP("one client's outstanding bytes are no other client's; at its WSASend they are 100");
  {
    Faults faults;
    std::size_t at_the_call = 0;
    faults.meanwhile(Call::WSASend, [&] { at_the_call = within.connection->bytes_in_flight; });
    check("send_bytes returns true", send(server, within, text));
    check_equal("bytes_in_flight during WSASend", at_the_call, 100u);
  }
  STEP("10050 bytes are outstanding, for another thread's message passed the limit; one more byte is too many");
  Guest above = server.enter_without_receive();
  above.connection->bytes_in_flight = 10050;
  check("send_bytes returns false", !send(server, above, "1"));
  server.expect_gone(above);
  above.connection->bytes_in_flight = 0;
  STEP("the limit is 99 now; nothing is outstanding, and 100 bytes are too many");
  server.get().max_bytes_in_flight = 99;
  Guest late = server.enter_without_receive();
  check("send_bytes returns false", !send(server, late, text));
  server.expect_gone(late);
  STEP("the limit needs more than 31 bits now, or is none at all");
  for (const std::size_t limit : {std::size_t{1} << 31, (std::size_t{1} << 32) + 10, SIZE_MAX}) {
    server.get().max_bytes_in_flight = limit;
    Guest guest = server.enter_without_receive();
    check("send_bytes returns true below the limit", send(server, guest, text));
    check_equal("what the client gets", guest.client.receive(text.size()), text);
  }
  server.finish();
}

LAB_TEST(Lab04, SendThatCannotBePostedDisconnects, "N9, N19", "lab04_worker/README.md#step-2") {
  TestServer server;
  const auto refused = [&](Guest& guest) {
    check("send_bytes returns false", !send(server, guest, "bytes"));
    server.expect_gone(guest);
    check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 0u);
    check_equal("the number of operations that are out", server.in_use(), 0u);
  };
  STEP("a send on a connection whose sending side is shut");
  Guest shut = server.enter_without_receive();
  ::shutdown(shut.connection->socket.get(), SD_SEND);
  refused(shut);
  STEP("a send to a client that has been disconnected already");
  refused(shut);
  STEP("a send when there is no operation to be had");
  Guest unlucky = server.enter_without_receive();
  server.operations().give_only(0);
  refused(unlucky);
  unlucky.client.expect_closed();
  server.finish();
}

// --- handle_completion -----------------------------------------------------------------------------------------------

LAB_TEST(Lab04, ReceiveIsHandledThenPostedAgain, "N4, N7, N15", "lab04_worker/README.md#step-3") {
  TestServer server;
  server.handler().reply = [](lab::Server&, const ConnectionPtr&, const std::string&) { return true; };
  Guest guest = server.enter();
  std::string all;
  STEP("a client sends six messages; each is handled");
  for (unsigned i = 1; i <= 6; ++i) {
    const std::string text = pattern(i == 4 ? lab::kBufferSize : 10 * i, i);
    all += text;
    guest.client.send(text);
    while (server.handler().of(guest.connection).received.size() < all.size()) server.handle(server.next());
    check_same_bytes("what on_recv got so far", server.handler().of(guest.connection).received, all);
    check_equal("the number of operations that are out", server.in_use(), 1u);
    check_equal("the number of operations acquired", server.operations().given(), 1u);
  }
  STEP("a client has sent more than a buffer holds; each completion is one call of on_recv, and the receive is posted again");
  const std::string large = pattern(2 * lab::kBufferSize + 100, 9);
  all += large;
  guest.client.send(large);
  while (server.handler().of(guest.connection).received.size() < all.size()) {
    const Packet packet = server.next();
    const std::size_t before = server.handler().of(guest.connection).receives;
    server.handle(packet);
    check_equal("the number of calls of on_recv for one completion", server.handler().of(guest.connection).receives, before + 1);
  }
  STEP("another receive is posted by the test, behind the one that should be pending");
  OverlappedEx* own = server.operations().acquire(OpKind::recv);
  own->connection = guest.connection;
  DWORD flags = 0;
  {
    const Unwatched mine;  // one receive too many, for once
    ::WSARecv(guest.connection->socket.get(), &own->wsabuf, 1, nullptr, &flags, &own->overlapped, nullptr);
  }
  guest.client.send("x");
  const Packet first = server.next();
  check("one receive was pending", first.op != own);
  STEP("the next byte must go to the test's receive");
  guest.client.send("y");
  const Packet second = server.next();
  check("only one receive was pending, not two", second.op == own);
  server.operations().release(own);
  server.handle(first);
  server.finish();
}

LAB_TEST(Lab04, EveryEndOfAReceiveDisconnectsOnce, "N4, N14", "lab04_worker/README.md#step-3") {
  TestServer server;
  server.handler().reply = [](lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
    if (bytes == "disconnect me") lab::disconnect(s, connection, "the handler did it itself");
    return bytes != "say no";
  };
  const auto enter = [&] {  // sends are outstanding each time; that changes nothing
    Guest guest = server.enter();
    guest.connection->bytes_in_flight = 50;
    return guest;
  };
  const auto ended = [&](Guest& guest, std::size_t receives) {
    server.expect_gone(guest);
    check_equal("bytes_in_flight, which a receive does not touch", guest.connection->bytes_in_flight.exchange(0), 50u);
    check_equal("the number of operations that are out", server.in_use(), 0u);
    check_equal("the number of calls of on_recv", server.handler().of(guest.connection).receives, receives);
    check_equal("the number of references to the connection: the test has two", guest.connection.use_count(), 2);
    server.operations().check_in_order();
  };
  {
    STEP("the client closes its side: success with 0 bytes");
    Guest guest = enter();
    guest.client.half_close();
    server.handle(server.next());
    ended(guest, 0);
    guest.client.expect_closed();
  }
  {
    STEP("the client resets the connection: failure");
    Guest guest = enter();
    guest.client.abort();
    server.handle(server.next());
    ended(guest, 0);
  }
  {
    STEP("the server closes the connection: failure, with another error");
    Guest guest = enter();
    lab::disconnect(server.get(), guest.connection, "the test says so");
    server.handle(server.next());
    ended(guest, 0);
  }
  {
    STEP("on_recv returns false");
    Guest guest = enter();
    guest.client.send("say no");
    server.handle(server.next());
    ended(guest, 1);
    guest.client.expect_closed();
  }
  {
    STEP("on_recv disconnects the client and returns true: the receive cannot be posted again");
    Guest guest = enter();
    guest.client.send("disconnect me");
    server.handle(server.next());
    ended(guest, 1);
  }
  STEP("each client's object lies where that of the last one was");
  for (int i = 0; i < 3; ++i) {
    alignas(std::max_align_t) static char place[sizeof(lab::Connection) + 256];
    TestClient client(server.listener().port);
    std::weak_ptr<lab::Connection> gone;
    {
      const ConnectionPtr connection = std::allocate_shared<lab::Connection>(OnePlace<lab::Connection>{place, sizeof place});
      gone = connection;
      server.enter(connection);
      check("start_recv returns true", lab::start_recv(server.operations(), connection));
      client.send("hello");
      server.handle(server.next());
      check_equal("the number of calls of on_recv", server.handler().of(connection).receives, 1u);
      client.half_close();
      server.handle(server.next());
      check_equal("the number of calls of on_disconnect", server.handler().of(connection).disconnects, 1);
      check("the client is not in the table", server.clients().find(connection->id) == nullptr);
      check_equal("the number of operations that are out", server.in_use(), 0u);
    }
    check("the client's object has gone", gone.expired());
  }
  {
    STEP("a failed receive with a number of bytes: they are not to be used");
    Guest guest = server.enter_without_receive();
    OverlappedEx* op = server.operations().acquire(OpKind::recv);
    op->connection = guest.connection;
    guest.connection->bytes_in_flight = 50;
    server.handle({false, 5, op});
    ended(guest, 0);
    guest.client.expect_closed();
  }
  server.finish();
}

LAB_TEST(Lab04, WholeSendIsToldAndReleased, "N9, N15", "lab04_worker/README.md#step-3") {
  TestServer server;
  Guest guest = server.enter_without_receive();
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, lab::kBufferSize}) {
    STEP("a send of " + std::to_string(size) + " bytes completes whole");
    const Recorder::Client before = server.handler().of(guest.connection);
    OverlappedEx* op = made_up_send(server, guest, size);
    guest.connection->bytes_in_flight += 50;  // of another send
    server.handle({true, static_cast<DWORD>(size), op});
    const Recorder::Client after = server.handler().of(guest.connection);
    check_equal("the number of calls of on_sent", after.sent, before.sent + 1);
    check_equal("the number of bytes it told", after.sent_bytes, before.sent_bytes + size);
    check_equal("bytes_in_flight when it was called", after.in_flight_at_on_sent, 50u);
    check_equal("the number of calls of on_recv", after.receives, 0u);
    check_equal("the number of calls of on_disconnect", after.disconnects, 0);
    check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 50u);
    check_equal("the number of operations that are out", server.in_use(), 0u);
    guest.connection->bytes_in_flight = 0;
  }
  STEP("the client has not noticed");
  check("it is still connected", guest.client.look() == End::none);
  STEP("a thread stands still while it handles a send, and another one handles a send of the same client, or posts one");
  OverlappedEx* one = nullptr;
  OverlappedEx* other = nullptr;
  const auto begin = [&] {
    one = made_up_send(server, guest, 100);
    other = made_up_send(server, guest, 7);
  };
  const auto handle = [&](OverlappedEx*& op) { return [&] { server.handle({true, op->wsabuf.len, op}); }; };
  server.operations().before_release = &stand_still_no_more;  // what happens in there is the test's own
  at_each_instruction({"handle_completion", "handle_completion of another send", begin, handle(one), handle(other),
                       [&] { check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 0u); }});
  at_each_instruction({"handle_completion", "a send that begins", begin, handle(one), [&] { guest.connection->bytes_in_flight += 50; }, [&] {
                         check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 57u);
                         server.handle({true, 7, other});
                         guest.connection->bytes_in_flight = 0;
                       }});
  server.operations().before_release = nullptr;
  server.finish();
}

LAB_TEST(Lab04, ShortOrFailedSendDisconnects, "N19", "lab04_worker/README.md#step-3") {
  TestServer server;
  struct Case {
    const char* what;
    bool ok;
    DWORD bytes;
  };
  for (const Case& one : {Case{"60 of 100 bytes", true, 60}, Case{"99 of 100 bytes", true, 99},
                          Case{"0 of 100 bytes", true, 0}, Case{"failure, 0 bytes", false, 0},
                          Case{"failure, 60 bytes", false, 60}, Case{"failure, 100 bytes", false, 100}}) {
    STEP(std::string("a send completes with ") + one.what);
    Guest guest = server.enter_without_receive();
    OverlappedEx* op = made_up_send(server, guest, 100);
    guest.connection->bytes_in_flight += 50;  // of another send
    server.handle({one.ok, one.bytes, op});
    server.expect_gone(guest);
    guest.client.expect_closed();
    check_equal("the number of calls of on_sent", server.handler().of(guest.connection).sent, 0u);
    check_equal("the number of calls of on_recv", server.handler().of(guest.connection).receives, 0u);
    check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 50u);
    check_equal("the number of operations that are out", server.in_use(), 0u);
    guest.connection->bytes_in_flight = 0;
  }
  server.finish();
}

// Two threads meet here: each waits until the other one has come, too.
struct Meeting {
  std::atomic<int> here{0};
  std::atomic<bool> failed{false};
  bool meet() {
    ++here;
    if (!eventually([this] { return here >= 2; }, patience() / 2)) failed = true;
    return !failed;
  }
};

LAB_TEST(Lab04, HandlerCallsBack, "N14, N18", "lab04_worker/README.md#step-3") {
  TestServer server;
  server.get().max_bytes_in_flight = 10000;
  Guest stays = server.enter();
  Guest leaves = server.enter();
  Guest follows = server.enter();
  Guest slow = server.enter();
  server.handler().at_disconnect = [goes = leaves.connection, follows = follows.connection, slow = slow.connection,
                                    stays = stays.connection](lab::Server& s, const ConnectionPtr& connection) {
    if (connection == goes || connection == slow) lab::send_bytes(s, stays, "bye", 3);
    if (connection == goes) lab::disconnect(s, follows, "its friend has left");
  };
  STEP("a client leaves; from on_disconnect the handler sends to another one, and disconnects a third one");
  Background leaving("disconnect", [&] { lab::disconnect(server.get(), leaves.connection, "the test says so"); });
  leaving.finish();
  server.expect_gone(leaves);
  server.expect_gone(follows);
  check_same_bytes("what the other one gets", stays.client.receive(3), "bye");
  STEP("send_bytes disconnects a client that reads too slowly; from on_disconnect the handler sends to another one");
  slow.connection->bytes_in_flight = 10000;
  Background refusing("send_bytes", [&] { send(server, slow, "too much"); });
  refusing.finish();
  slow.connection->bytes_in_flight = 0;
  server.expect_gone(slow);
  check_same_bytes("what the other one gets", stays.client.receive(3), "bye");
  STEP("from on_sent the handler sends more to the same client");
  server.handler().at_sent = [](lab::Server& s, const ConnectionPtr& connection) { lab::send_bytes(s, connection, "more", 4); };
  Background sending("handle_completion", [&] { server.handle({true, 5, made_up_send(server, stays, 5)}); });
  sending.finish();
  check_same_bytes("what the client gets", stays.client.receive(4), "more");

  // Each step has two threads, which must come into the handler at the same time: for different clients it may be so.
  const auto both = [](const std::string& what, const std::function<void(unsigned)>& body) {
    Background one(what, [&] { body(0); });
    Background other(what, [&] { body(1); });
    one.finish();
    other.finish();
  };
  std::vector<Guest> pair;
  for (int i = 0; i < 2; ++i) pair.push_back(server.enter());
  STEP("sends of two clients complete at the same time, in two threads: both are in on_sent");
  const auto at_sent = std::make_shared<Meeting>();
  server.handler().at_sent = [at_sent](lab::Server&, const ConnectionPtr&) { at_sent->meet(); };
  both("handle_completion", [&](unsigned i) { server.handle({true, 5, made_up_send(server, pair[i], 5)}); });
  check("on_sent of one client does not wait for that of another one", !at_sent->failed);
  server.handler().at_sent = nullptr;
  STEP("two threads send too much at the same time, to two clients: both are in on_disconnect");
  const auto at_disconnect = std::make_shared<Meeting>();
  server.handler().at_disconnect = [at_disconnect](lab::Server&, const ConnectionPtr&) { at_disconnect->meet(); };
  for (Guest& guest : pair) guest.connection->bytes_in_flight = 10000;
  both("send_bytes", [&](unsigned i) { send(server, pair[i], "too much"); });
  for (Guest& guest : pair) guest.connection->bytes_in_flight = 0;
  check("on_disconnect of one client does not wait for that of another one", !at_disconnect->failed);
  server.handler().at_disconnect = nullptr;
  // One client's call lasts. Many others come and go meanwhile, so a lock that is one of N does not hide.
  const auto while_one_lasts = [&](const std::string& what, const std::function<void(Guest&)>& begin) {
    STEP("one client is in " + what + "; 900 others come and go on another thread");
    Guest lasts = server.enter_without_receive();
    const auto gate = std::make_shared<Gate>();
    const auto stay = [gate, held = lasts.connection](const ConnectionPtr& connection) {
      if (connection == held) gate->pass();
    };
    server.handler().reply = [stay](lab::Server&, const ConnectionPtr& connection, const std::string&) {
      stay(connection);
      return true;
    };
    server.handler().at_sent = [stay](lab::Server&, const ConnectionPtr& connection) { stay(connection); };
    server.handler().at_disconnect = server.handler().at_sent;
    Background one(what, [&] { begin(lasts); });
    check_eventually("the first one is in " + what, [&] { return gate->inside == 1; });
    Background all("handle_completion for other clients", [&] {
      for (int i = 0; i < 900; ++i) handle_all_of_a_stranger(server);
    });
    const bool ended = eventually([&] { return all.finished(); });
    gate->open = true;
    all.finish();
    one.finish();
    check("nothing of another client waits for " + what + " of this one", ended);
  };
  while_one_lasts("on_recv", [&](Guest& guest) { server.handle({true, 5, made_up_recv(server, guest.connection)}); });
  while_one_lasts("on_sent", [&](Guest& guest) { server.handle({true, 5, made_up_send(server, guest, 5)}); });
  while_one_lasts("on_disconnect", [&](Guest& guest) { lab::disconnect(server.get(), guest.connection, "the test says so"); });
  server.handler().at_sent = server.handler().at_disconnect = nullptr;
  STEP("two workers are in on_recv of two clients; each sends to the other client");
  const auto in_on_recv = std::make_shared<Meeting>();
  Guest left = server.enter();
  Guest right = server.enter();
  server.handler().reply = [in_on_recv, left = left.connection, right = right.connection](
                               lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
    return in_on_recv->meet() && lab::send_bytes(s, connection == left ? right : left, bytes.data(), bytes.size());
  };
  server.start(2);
  left.client.send("to the right");
  check_eventually("the first one is handled", [&] { return in_on_recv->here == 1; });  // a worker may take several packets
  right.client.send("to the left");
  check_same_bytes("what the left one gets", left.client.receive(11), "to the left");
  check_same_bytes("what the right one gets", right.client.receive(12), "to the right");
  server.finish();
}

// --- The worker ------------------------------------------------------------------------------------------------------

LAB_TEST(Lab04, WorkerOutlivesResets, "N14", "lab04_worker/README.md#step-4") {
  TestServer server;
  server.get().max_bytes_in_flight = 1000 * 1000;
  const auto gate = std::make_shared<Gate>();
  server.handler().reply = [gate](lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
    if (bytes == "hold") gate->pass();
    return lab::send_bytes(s, connection, bytes.data(), bytes.size());
  };
  server.start(1);
  STEP("one worker; one client stays, others reset their connections");
  Guest stays = server.enter();
  check_echo(stays.client, "before", 6);
  for (int i = 0; i < 10; ++i) {
    Guest resets = server.enter();
    if (i % 2 == 0) check_echo(resets.client, "hello", 5);
    resets.client.abort();
    check_eventually("the client that reset its connection is disconnected", [&] { return server.is_gone(resets); });
    check_echo(stays.client, "still served", 12);
  }
  check_equal("the number of clients in the table", server.clients().size(), 1u);
  STEP("150 sends and a receive of one client fail, one behind the other; then once more");
  for (int i = 0; i < 2; ++i) {
    Guest fails = server.enter();
    fails.make_slow();
    for (unsigned k = 0; k < 150; ++k) check("send_bytes returns true", send(server, fails, pattern(lab::kBufferSize, k)));
    fails.client.abort();
    check_eventually("the client is disconnected", [&] { return server.is_gone(fails); });
    check_eventually("its operations are released", [&] { return server.in_use() == 1; });
    check_echo(stays.client, "still served", 12);
  }
  STEP("the worker is busy; behind it wait failed receives, and completions of sends that went well");
  {
    stays.client.send("hold");
    check_eventually("the worker is in on_recv", [&] { return gate->inside == 1; });
    const auto sent_bytes = [&] { return server.handler().of(stays.connection).sent_bytes; };
    const std::size_t before = sent_bytes();
    std::vector<Guest> fail;
    for (int i = 0; i < 3; ++i) {
      Guest& fails = fail.emplace_back(server.enter());
      lab::disconnect(server.get(), fails.connection, "the test says so");
      post_made_up_send(server, stays, 100);
    }
    gate->open = true;
    check_same_bytes("the echo", stays.client.receive(4), "hold");
    check_eventually("every completion behind a failed one is handled", [&] { return sent_bytes() == before + 304; });
    check_eventually("the failed receives are released", [&] { return server.in_use() == 1; });
  }
  for (const DWORD error : {121u, 1231u, 995u}) {
    STEP("a receive fails with error " + std::to_string(error) + " and a byte count of 5, which means nothing");
    Faults faults;
    Guest fails = server.enter();
    faults.disguise_next_failure(error, 5);
    fails.client.abort();
    check_eventually("the client is disconnected", [&] { return server.is_gone(fails); });
    check_eventually("its receive is released", [&] { return server.in_use() == 1; });
    check_equal("the number of calls of on_recv", server.handler().of(fails.connection).receives, 0u);
    check_equal("the failures that have not come", faults.left(), 0u);
    check_echo(stays.client, "still served", 12);
  }
  server.finish();
}

LAB_TEST(Lab04, WorkerIgnoresForeignPackets, "N14", "lab04_worker/README.md#step-4") {
  TestServer server;
  const auto gate = std::make_shared<Gate>();
  server.handler().reply = [gate](lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
    if (bytes == "hold") gate->pass();
    return lab::send_bytes(s, connection, bytes.data(), bytes.size());
  };
  server.start(1);
  Guest guest = server.enter();
  check_echo(guest.client, "before", 6);
  STEP("packets without an OVERLAPPED are posted; none of them is the quit packet");
  const HANDLE port = server.get().port;
  for (const ULONG_PTR key : {ULONG_PTR{1}, ULONG_PTR{0x1234}, ~ULONG_PTR{0},
                              reinterpret_cast<ULONG_PTR>(static_cast<lab::Client*>(guest.connection.get()))}) {
    for (const DWORD bytes : {0u, 7u}) ::PostQueuedCompletionStatus(port, bytes, key, nullptr);
  }
  STEP("the client is served, before and after them");
  for (int i = 0; i < 10; ++i) check_echo(guest.client, "after", 5);
  check_equal("the number of calls of on_disconnect", server.handler().of(guest.connection).disconnects, 0);
  const auto sent_bytes = [&] { return server.handler().of(guest.connection).sent_bytes; };
  check_eventually("every send is told", [&] { return sent_bytes() == 56; });
  STEP("the worker is busy; behind it wait a foreign packet, a send's completion, another foreign one, another completion");
  guest.client.send("hold");
  check_eventually("the worker is in on_recv", [&] { return gate->inside == 1; });
  for (const std::size_t size : {100u, 1000u}) {
    ::PostQueuedCompletionStatus(port, 0, 0x1234, nullptr);
    post_made_up_send(server, guest, size);
  }
  gate->open = true;
  check_same_bytes("the echo", guest.client.receive(4), "hold");
  check_eventually("both completions are handled", [&] { return sent_bytes() == 56 + 4 + 1100; });
  check_echo(guest.client, "after", 5);
  STEP("300 foreign packets are posted, one behind the other");
  for (int i = 0; i < 300; ++i) ::PostQueuedCompletionStatus(port, 0, 0x1234, nullptr);
  check_echo(guest.client, "after", 5);
  server.finish();
}

LAB_TEST(Lab04, WorkerEndsWhenThePortIsGone, "N14", "lab04_worker/README.md#step-4") {
  OperationLedger operations;
  Recorder handler;
  lab::ClientTable clients(1);
  lab::Server server{nullptr, clients, operations, handler};  // what is no port and what was closed fail in the same way
  STEP("worker_loop runs; GetQueuedCompletionStatus fails each time, at once");
  Background worker("worker_loop, on a port that is gone,", [&] { lab::worker_loop(server); });
  worker.finish();
  const lab::UniqueHandle port(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1));
  lab::Server other{port.get(), clients, operations, handler};
  for (const int error : {735, 87, 995}) {
    STEP("GetQueuedCompletionStatus fails with " + std::to_string(error));
    Faults faults;
    faults.fail(Call::GetQueuedCompletionStatus, error);
    faults.fail(Call::GetQueuedCompletionStatusEx, error);
    Background ends("worker_loop, after an error that is no timeout,", [&] { lab::worker_loop(other); });
    ends.finish();
  }
}

LAB_TEST(Lab04, WorkerEndsAtTheQuitPacket, "N14", "lab04_worker/README.md#step-4") {
  TestServer server;
  Guest guest = server.enter_without_receive();
  STEP("in the port: two completions, and behind them a packet with the key kQuitKey; then worker_loop runs");
  post_made_up_send(server, guest, 100);
  post_made_up_send(server, guest, 1000);
  ::PostQueuedCompletionStatus(server.get().port, 0, lab::kQuitKey, nullptr);
  Background worker("worker_loop, at the quit packet,", [&] { lab::worker_loop(server.get()); });
  worker.finish();
  check_equal("the bytes of the sends that were told before it ended", server.handler().of(guest.connection).sent_bytes, 1100u);
  server.finish();
}

LAB_TEST(Lab04, WorkersStartAndStop, "N1, N14", "lab04_worker/README.md#step-5") {
  TestServer server;
  const auto gate = std::make_shared<Gate>();
  server.handler().reply = [gate](lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
    thread_local bool first = true;
    if (std::exchange(first, false)) count_end(gate);
    gate->pass();
    return lab::send_bytes(s, connection, bytes.data(), bytes.size());
  };
  STEP("four workers, four clients; each client keeps a worker busy");
  server.start(4);
  std::vector<Guest> guests;
  for (int i = 0; i < 4; ++i) guests.push_back(server.enter());
  bool all = true;
  for (int i = 0; i < 4; ++i) {  // one after the other: a worker may take several packets at once
    guests[static_cast<std::size_t>(i)].client.send("hold");
    all = all && eventually([&] { return gate->inside > i; });
  }
  gate->open = true;
  check("four clients are handled at the same time", all);
  for (Guest& guest : guests) check_same_bytes("the echo", guest.client.receive(4), "hold");
  for (Guest& guest : guests) check_eventually("the send is told", [&] { return server.handler().of(guest.connection).sent == 1; });
  STEP("nothing happens; each of the four sleeps in GetQueuedCompletionStatus or GetQueuedCompletionStatusEx");
  check_eventually("all four wait in the call, with a time that is not 0", [] { return threads_waiting_for_packets() == 4; });
  STEP("everybody is disconnected; then the four are stopped, while another server's worker goes on");
  TestServer another;
  another.start(1);
  Guest elsewhere = another.enter();
  for (const Guest& guest : guests) lab::disconnect(server.get(), guest.connection, "the test says so");
  check_eventually("every operation is released", [&] { return server.in_use() == 0; });
  const std::size_t posted = count_of(Call::PostQueuedCompletionStatus);
  server.stop();
  gate->stopped = true;
  check_equal("the number of workers that have ended when stop_workers returns", gate->left.load(), 4);
  check("a packet was posted for each", count_of(Call::PostQueuedCompletionStatus) >= posted + 4);
  check_echo(elsewhere.client, "we go on", 8);
  STEP("stop_workers is called again, with no workers");
  server.stop();
  STEP("two others are started: what was sent in between is served");
  Guest early = server.enter();
  early.client.send("early");
  server.start(2);
  check_same_bytes("the echo", early.client.receive(5), "early");
  Guest late = server.enter();
  check_echo(late.client, "late", 4);
  server.stop_after_the_last_operation();
  STEP("70 are started: more than WaitForMultipleObjects can wait for");
  server.start(70);
  Guest crowded = server.enter();
  check_echo(crowded.client, "crowded", 7);
  STEP("they are stopped while the system has no memory for some packets");
  Faults faults;
  faults.fail(Call::PostQueuedCompletionStatus, ERROR_NO_SYSTEM_RESOURCES, 3, 2);
  faults.fail(Call::PostQueuedCompletionStatus, ERROR_NOT_ENOUGH_MEMORY, 1, 60);
  server.stop_after_the_last_operation();
  check_equal("the calls that were to fail and were not made", faults.left(), 0u);
  server.finish();
  another.finish();
}

LAB_TEST(Lab04, EveryByteComesBackInOrder, "N7, N15", "lab04_worker/README.md#check-it") {
  for_each_seed(3, [](std::uint64_t seed) {
    const unsigned workers = 4u >> (seed - 1) % 3;  // 4 first: under a sanitizer only one seed is played
    STEP(std::to_string(workers) + " workers; 16 clients send at once, in pieces of many sizes");
    const Shaker shaker(seed);
    TestServer server;
    server.start(workers);
    std::vector<Guest> guests;
    for (int i = 0; i < 16; ++i) guests.push_back(server.enter());
    std::size_t total = 0;
    for (unsigned round = 0; round < 6; ++round) {
      const auto text = [round](unsigned i) { return pattern(1 + (i * 977 + round * 3001) % 12000, i * 100 + round); };
      for (unsigned i = 0; i < guests.size(); ++i) guests[i].client.send(text(i));
      for (unsigned i = 0; i < guests.size(); ++i) {
        total += text(i).size();
        check_same_bytes("the echo", guests[i].client.receive(text(i).size()), text(i));
      }
    }
    const auto told = [&] {
      std::size_t bytes = 0;
      for (const Guest& guest : guests) bytes += server.handler().of(guest.connection).sent_bytes;
      return bytes;
    };
    check_eventually("on_sent tells every byte that was sent", [&] { return told() == total; });
    server.finish();
  });
}

LAB_TEST(Lab04, MessagesOfManyThreadsStayWhole, "N18", "lab04_worker/README.md#check-it") {
  // 'A', the thread, the number of the message, and a pattern.
  const auto message = [](std::size_t thread, std::size_t i) {
    std::string text = pattern(4 + (thread * 1217 + (i + 3) * 1331) % 4000, static_cast<unsigned>(thread * 1000 + i));
    text[0] = 'A';
    text[1] = static_cast<char>(thread);
    text[2] = static_cast<char>(i);
    return text;
  };
  constexpr std::size_t kThreads = 4, kEach = 120;
  // In any order: Wine does not keep it.
  const auto check_messages = [message](TestClient& client, std::size_t count) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string head = client.receive(3);
      const auto thread = static_cast<std::size_t>(head[1]);
      const auto number = static_cast<std::size_t>(head[2]);
      check("a message begins where the last one ended", head[0] == 'A' && thread < kThreads && number < kEach);
      const std::string whole = message(thread, number);
      check_same_bytes("a message", head + client.receive(whole.size() - 3), whole);
      check("no message comes twice", seen.insert(whole).second);
    }
  };

  TestServer server;
  server.start(2);
  {
    STEP("whenever a thread takes an operation to send a message, another thread sends one, too, to the same client");
    Guest guest = server.enter();
    std::vector<std::unique_ptr<Background>> others;
    const auto me = std::this_thread::get_id();
    server.operations().before_acquire = [&] {
      if (std::this_thread::get_id() != me) return;
      const std::size_t i = others.size();
      others.push_back(std::make_unique<Background>("send_bytes", [&, i] { send(server, guest, message(1, i)); }));
      eventually([&] { return others.back()->finished(); }, std::chrono::milliseconds(100));  // it may have to wait for us
    };
    std::size_t ended = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      check("send_bytes returns true", send(server, guest, message(0, i)));
      for (; ended < others.size(); ++ended) others[ended]->finish();
    }
    server.operations().before_acquire = nullptr;
    check_messages(guest.client, 5 + others.size());
  }
  STEP("four threads send messages to one client, which reads them");
  Guest guest = server.enter();
  guest.make_slow(128 * 1024);
  check("send_bytes returns true", send(server, guest, "ready"));
  check_same_bytes("what the client gets", guest.client.receive(5), "ready");
  std::atomic<bool> over{false};
  std::vector<std::unique_ptr<Background>> threads;
  for (std::size_t me = 0; me < kThreads; ++me) {
    threads.push_back(std::make_unique<Background>("send_bytes", [&, me] {
      for (std::size_t i = 0; i < kEach; ++i) {
        check_eventually("what is outstanding goes down", [&] {
          return guest.connection->bytes_in_flight < server.get().max_bytes_in_flight / 2;
        });
        check("send_bytes returns true", send(server, guest, message(me, i)));
      }
      eventually([&] { return over.load(); });  // Wine sometimes never completes a send whose thread has ended
    }));
  }
  struct Close {
    Guest& guest;
    std::atomic<bool>& over;
    ~Close() {  // after a failed check this ends the threads
      over = true;
      guest.connection->close();
    }
  } at_the_end{guest, over};
  check_messages(guest.client, kThreads * kEach);
  check_eventually("every send completes", [&] { return guest.connection->bytes_in_flight == 0; });
  over = true;
  for (auto& thread : threads) thread->finish();
  server.finish();
}

LAB_TEST(Lab04, SlowReaderIsDisconnectedOthersAreServed, "N7, N19", "lab04_worker/README.md#step-2") {
  TestServer server;
  server.get().max_bytes_in_flight = 100 * 1000;
  server.start(2);
  Guest other = server.enter();
  Guest slow = server.enter();
  slow.make_slow();
  STEP("messages go to a client that does not read; another one is served");
  const std::string text = pattern(3000, 4);
  int messages = 0;
  while (send(server, slow, text)) {
    check("what is outstanding stays within the limit",
          slow.connection->bytes_in_flight <= server.get().max_bytes_in_flight);
    check("a client that does not read is disconnected in the end", ++messages < 20000);
    if (messages % 20 == 0) check_echo(other.client, "quick", 5);
  }
  STEP("it is disconnected, and its sends are released; the other one is served");
  server.expect_gone(slow);
  check_eventually("all its sends come back", [&] { return slow.connection->bytes_in_flight == 0; });
  check_echo(other.client, "still quick", 11);
  server.finish();
}

LAB_TEST(Lab04, ManyFailingOperationsDisconnectOnce, "N7, N14", "lab04_worker/README.md#step-1") {
  TestServer server;
  server.get().max_bytes_in_flight = 1000 * 1000;
  server.start(4);
  for_each_seed(5, [&server](std::uint64_t seed) {
    const Shaker shaker(seed);
    STEP("a receive and 60 sends are pending when the client resets the connection");
    Guest guest = server.enter();
    guest.make_slow();
    for (unsigned i = 0; i < 60; ++i) check("send_bytes returns true", send(server, guest, pattern(lab::kBufferSize, i)));
    guest.client.abort();
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_eventually("every operation is released", [&] { return server.in_use() == 0; });
    check_eventually("bytes_in_flight goes down to 0", [&] { return guest.connection->bytes_in_flight == 0; });
    check_equal("the number of calls of on_disconnect", server.handler().of(guest.connection).disconnects, 1);
  });
  server.finish();
}

LAB_TEST(Lab04, StormOfDisconnectsLeavesNothing, "N5, N14, N19", "lab04_worker/README.md#check-it") {
  for_each_seed(3, [](std::uint64_t seed) {
    const Shaker shaker(seed);
    TestServer server;
    server.handler().reply = [](lab::Server& s, const ConnectionPtr& connection, const std::string& bytes) {
      if (bytes.find('!') != std::string::npos) return false;
      return lab::send_bytes(s, connection, bytes.data(), bytes.size());
    };
    server.start(4);
    std::vector<Guest> stay;
    for (int i = 0; i < 3; ++i) stay.push_back(server.enter());
    std::vector<Guest> leave;
    for (int i = 0; i < 60; ++i) leave.push_back(server.enter());
    STEP("60 clients speak and leave, in six ways, while three stay");
    for (std::size_t i = 0; i < leave.size(); ++i) {
      Guest& guest = leave[i];
      guest.client.send(std::string(1000, 'a'));
      switch (i % 6) {
        case 0: guest.client.close(); break;
        case 1: guest.client.abort(); break;
        case 2: guest.client.half_close(); break;
        case 3: guest.client.send("!"); break;
        case 4: lab::disconnect(server.get(), guest.connection, "the test says so"); break;
        default:
          send(server, guest, std::string(2000, 'b'));
          guest.client.abort();
      }
      if (i % 5 == 0) check_echo(stay[i % 3].client, "we stay", 7);
    }
    for (const Guest& guest : leave) {
      check_eventually("each of them is disconnected", [&] { return server.is_gone(guest); });
    }
    check_eventually("one operation for each client that stays is left", [&] { return server.in_use() == 3; });
    for (Guest& guest : stay) check_echo(guest.client, "we are here", 11);
    server.finish();
    for (const Guest& guest : leave) {
      check_equal("the number of references to a connection: the test has two", guest.connection.use_count(), 2);
    }
  });
}

// --- Calls that fail, and every order of things -----------------------------------------------------------------------

// One client is served all the while: what happens to another one is not its business.
void check_served(Guest& guest) { check_echo(guest.client, "still served", 12); }

LAB_TEST(Lab04, CallsThatFailCostOneClient, "N9, N14, N19", "lab04_worker/README.md#step-3") {
  TestServer server;
  server.start(2);
  Guest stays = server.enter();
  Faults faults;
  const auto goes = [&](Guest& guest) {
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_eventually("its operations are released", [&] { return server.in_use() == 1; });
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    guest.client.expect_closed();
    check_served(stays);
  };
  for (const int error : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAESHUTDOWN}) {
    STEP("WSASend fails at once with " + std::to_string(error));
    Guest guest = server.enter();
    faults.fail(Call::WSASend, error);
    guest.client.send("to be sent back");
    goes(guest);
  }
  for (const int error : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAESHUTDOWN}) {
    STEP("WSARecv fails at once with " + std::to_string(error) + ", when the receive is posted again");
    Guest guest = server.enter();
    faults.fail(Call::WSARecv, error);
    guest.client.send("echo");
    check_eventually("the receive failed", [&] { return faults.left() == 0; });
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_eventually("its operations are released", [&] { return server.in_use() == 1; });
    check_served(stays);
  }
  STEP("a send completes short");
  {
    Guest guest = server.enter();
    check_eventually("every send has completed, so the next one is this client's", [&] { return server.in_use() == 2; });
    faults.shorten_next_send(3);
    guest.client.send("to be sent back");
    check_same_bytes("what the client gets before its end", guest.client.receive_until_end(), "to be sent back");
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_eventually("its operations are released", [&] { return server.in_use() == 1; });
    check_equal("the number of calls of on_sent", server.handler().of(guest.connection).sent, 0u);
    check_served(stays);
  }
  STEP("there is no operation for a send");
  {
    Guest guest = server.enter();
    server.operations().give_only(0);
    guest.client.send("to be sent back");
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    server.operations().give_only(1000000);
    goes(guest);
  }
  STEP("GetQueuedCompletionStatus has nothing, 300 times: WAIT_TIMEOUT, with a null OVERLAPPED");
  faults.fail(Call::GetQueuedCompletionStatus, WAIT_TIMEOUT, 300);
  faults.fail(Call::GetQueuedCompletionStatusEx, WAIT_TIMEOUT, 300);
  for (int i = 0; i < 8; ++i) check_served(stays);
  server.finish();
}

LAB_TEST(Lab04, SeedsKeepEveryByteInOrder, "N4, N7, N18", "lab04_worker/README.md#check-it") {
  STEP("three workers, three clients; the seed chooses who goes on, and how the bytes are cut");
  for_each_seed(40, [](std::uint64_t seed) {
    TestServer server;
    std::vector<Guest> guests;
    std::vector<std::string> sent(3);
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 3; ++i) guests.push_back(server.enter());
      for (unsigned i = 0; i < 3; ++i) {
        for (unsigned k = 0; k < 3; ++k) {
          const std::string text = pattern(1 + (i * 5 + k * 3) % 11, i * 10 + k);
          sent[i] += text;
          conductor.act(i, [&guests, i, text] { guests[i].client.send(text); });
        }
      }
      conductor.play();
      for (unsigned i = 0; i < 3; ++i) {
        check_same_bytes("what on_recv got", server.handler().of(guests[i].connection).received, sent[i]);
        check_same_bytes("the echo", guests[i].client.receive(sent[i].size()), sent[i]);
        check_equal("the bytes that on_sent told", server.handler().of(guests[i].connection).sent_bytes, sent[i].size());
        check_equal("bytes_in_flight", guests[i].connection->bytes_in_flight.load(), 0u);
      }
      check_equal("the number of operations that are out: one receive for each", server.in_use(), 3u);
    }
    server.finish();
  });
}

LAB_TEST(Lab04, SeedsOfEveryEnd, "N5, N14", "lab04_worker/README.md#step-1") {
  STEP("clients end in five ways while other threads send to them, and while the server disconnects them");
  for_each_seed(40, [](std::uint64_t seed) {
    TestServer server;
    std::vector<Guest> guests;
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 4; ++i) guests.push_back(server.enter());
      const auto disconnect = [&](unsigned i) {
        conductor.call("disconnect", [&, i] { lab::disconnect(server.get(), guests[i].connection, "a thread says so"); });
      };
      const auto send_to = [&](unsigned i) {
        conductor.call("send_bytes", [&, i] { send(server, guests[i], "news for you"); });
      };
      for (unsigned i = 0; i < 4; ++i) conductor.act(i, [&guests, i] { guests[i].client.send_some("hello"); });
      conductor.act(0, [&] { guests[0].client.abort(); });
      conductor.act(1, [&] { guests[1].client.half_close(); });
      disconnect(0);
      disconnect(1);
      disconnect(2);
      disconnect(2);
      send_to(0);
      send_to(2);
      send_to(3);
      conductor.play();
      for (unsigned i = 0; i < 3; ++i) {
        check("the client is disconnected", server.is_gone(guests[i]));
        server.expect_gone(guests[i]);
      }
      check_equal("the number of operations that are out: the receive of the one who stays", server.in_use(), 1u);
      check_equal("the number of calls of on_disconnect for the one who stays",
                  server.handler().of(guests[3].connection).disconnects, 0);
      check_equal("the number of bytes for the one who stays", guests[3].client.receive(17).size(), 17u);
    }
    server.finish();
  });
}

LAB_TEST(Lab04, SeedsOfLeaving, "N4, N15", "lab04_worker/README.md#step-3") {
  STEP("two workers; a client speaks and leaves at once: its end can be handled while its last receive is being posted");
  for_each_seed(40, [](std::uint64_t seed) {
    TestServer server;
    std::vector<Guest> guests;
    {
      Conductor conductor(seed);
      server.start(2);
      conductor.wait_for_threads(2);
      for (unsigned i = 0; i < 2; ++i) {
        guests.push_back(server.enter());
        conductor.act(i, [&guests, i] { guests[i].client.send("one"); });
        conductor.act(i, [&guests, i] { guests[i].client.send("two"); });
      }
      conductor.act(0, [&] { guests[0].client.half_close(); });
      conductor.act(1, [&] { guests[1].client.close(); });
      conductor.play();
      for (Guest& guest : guests) server.expect_gone(guest);
      check_same_bytes("the echo", guests[0].client.receive_until_end(), "onetwo");
      check_equal("the number of operations that are out", server.in_use(), 0u);
    }
    server.finish();
  });
  STEP("one client speaks and leaves, in every order of two workers with at most two preemptions");
  for_each_order(2, [](std::uint64_t seed) {
    TestServer server;
    std::vector<Guest> guests;
    {
      Conductor conductor(seed);
      server.start(2);
      conductor.wait_for_threads(2);
      guests.push_back(server.enter());
      conductor.act(0, [&] { guests[0].client.send("one"); });
      conductor.act(0, [&] { guests[0].client.half_close(); });
      conductor.play();
      server.expect_gone(guests[0]);
      check_same_bytes("the echo", guests[0].client.receive_until_end(), "one");
      check_equal("the number of operations that are out", server.in_use(), 0u);
    }
    server.finish();
  });
}

LAB_TEST(Lab04, SeedsOfFailingCalls, "N9, N14, N19", "lab04_worker/README.md#step-3") {
  STEP("calls fail here and there; whoever is hit is disconnected once, the others are served");
  for_each_seed(30, [](std::uint64_t seed) {
    TestServer server;
    Faults faults;
    std::vector<Guest> guests;
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 4; ++i) guests.push_back(server.enter());
      faults.fail(Call::WSARecv, WSAECONNABORTED, 1, static_cast<unsigned>(conductor.random().below(4)));
      faults.fail(Call::WSASend, WSAENOBUFS, 1, static_cast<unsigned>(conductor.random().below(4)));
      for (unsigned i = 0; i < 4; ++i) {
        for (int k = 0; k < 2; ++k) conductor.act(i, [&guests, i] { guests[i].client.send_some("hello"); });
        conductor.call("send_bytes", [&, i] { send(server, guests[i], "news"); });
      }
      conductor.play();
      check_equal("the calls that were to fail and were not made", faults.left(), 0u);
      std::size_t gone = 0;
      for (Guest& guest : guests) {
        const int told = server.handler().of(guest.connection).disconnects;
        gone += told > 0 ? 1 : 0;
        check("nobody is disconnected twice", told <= 1);
        if (told == 1) {
          server.expect_gone(guest);
        } else {
          check_equal("the number of bytes that come back", guest.client.receive(14).size(), 14u);
        }
        check_equal("bytes_in_flight", guest.connection->bytes_in_flight.load(), 0u);
      }
      check("one or two clients are hit", gone == 1 || gone == 2);
      check_equal("the number of operations that are out", server.in_use(), 4 - gone);
    }
    server.finish();
  });
}

// --- The program -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab04, ProgramServesTwoHundredClients, "N1, N14", "lab04_worker/README.md#check-it") {
  ServerProgram server({"--threads", "2"});
  STEP("200 clients connect at once; each sends three times");
  std::vector<TestClient> clients = connect_many(server.port, 200);
  for (unsigned round = 0; round < 3; ++round) {
    const auto text = [round](unsigned i) { return pattern(1000 + i, i * 10 + round); };
    for (unsigned i = 0; i < clients.size(); ++i) clients[i].send(text(i));
    for (unsigned i = 0; i < clients.size(); ++i) {
      check_same_bytes("the echo", clients[i].receive(text(i).size()), text(i));
    }
  }
  STEP("one sends byte by byte, another in pieces that are larger than a buffer");
  check_echo(clients[7], pattern(60, 1), 1);
  check_echo(clients[8], pattern(5 * 50000, 2), 50000);
  STEP("Ctrl+C, with all of them connected");
  server.stop();
  check("every operation was drained", server.output().find("drained: 0 operations") != std::string::npos);
  for (TestClient& client : clients) client.expect_closed();
}

LAB_TEST(Lab04, ProgramOutlivesEveryKindOfClient, "N14, N19", "lab04_worker/README.md#check-it") {
  ServerProgram server({"--threads", "1", "--max-outstanding", "65536"});
  STEP("one worker; a silent client and one that is served come first");
  TestClient silent(server.port);
  TestClient served(server.port);
  check_echo(served, "hello", 5);
  STEP("a client closes its side");
  TestClient half(server.port);
  check_echo(half, "half", 4);
  half.half_close();
  half.expect_closed();
  server.wait_for_line(" left");
  check_echo(served, "still served", 12);
  STEP("a client resets its connection");
  TestClient resets(server.port);
  check_echo(resets, "reset", 5);
  resets.abort();
  server.wait_for_line(" left");
  check_echo(served, "still served", 12);
  STEP("a client sends for ever and never reads");
  TestClient greedy(server.port);
  const int little = 16 * 1024;
  ::setsockopt(greedy.socket(), SOL_SOCKET, SO_RCVBUF, reinterpret_cast<const char*>(&little), sizeof little);
  const std::string text = pattern(64 * 1024, 3);
  const auto left = [&] { return server.output().find("client 5 left") != std::string::npos; };
  check_eventually("the program disconnects it", [&] { return greedy.send_some(text) == 0 && left(); });
  check_echo(served, "still served", 12);
  check("the silent client is still connected", silent.look() == End::none);
  STEP("wrong options, and a port in use");
  Program wrong({"--threads", "1000"});
  check_equal("the exit code at a wrong option", wrong.wait_for_exit(), 2);
  Program second({"--port", std::to_string(server.port)});
  check_equal("the exit code at a port in use", second.wait_for_exit(), 1);
  STEP("Ctrl+C");
  server.stop();
  check("every operation was drained", server.output().find("drained: 0 operations") != std::string::npos);
}
