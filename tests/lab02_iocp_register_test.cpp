// Lab 02: the completion port, the key, the first receive, the registration, and the program.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "child_process.h"
#include "conductor.h"
#include "interrupted.h"
#include "iocp_register.h"
#include "net.h"
#include "resources.h"
#include "seam.h"
#include "story.h"

using namespace test;
using lab::Client;
using lab::ClientTable;
using lab::RecvClient;

namespace {

constexpr const char* kPort = "lab02_iocp_register/README.md#step-1-create-a-port";
constexpr const char* kAssociate = "lab02_iocp_register/README.md#step-2-associate-a-socket-with-the-port";
constexpr const char* kRecv = "lab02_iocp_register/README.md#step-3-post-one-receive";
constexpr const char* kRegister = "lab02_iocp_register/README.md#step-4-register-the-client-or-undo-everything";
constexpr const char* kProgram = "lab02_iocp_register/README.md#step-5-try-it";

// What one GetQueuedCompletionStatus gave.
struct Packet {
  bool ok = false;
  DWORD bytes = 0;
  ULONG_PTR key = 0;
  OVERLAPPED* overlapped = nullptr;
  DWORD error = 0;
  bool any() const { return ok || overlapped != nullptr; }
};

Packet take(HANDLE port, DWORD milliseconds) {
  Packet packet;
  packet.ok = ::GetQueuedCompletionStatus(port, &packet.bytes, &packet.key, &packet.overlapped, milliseconds) != FALSE;
  packet.error = packet.ok ? 0 : ::GetLastError();
  return packet;
}

// The next packet, which must come.
Packet next_packet(HANDLE port) {
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience()).count();
  const Packet packet = take(port, static_cast<DWORD>(limit));
  if (!packet.any()) fail("expected a packet from the completion port, but none came; the error was " + std::to_string(packet.error));
  return packet;
}

void check_no_packet(HANDLE port) {
  const Packet packet = take(port, 0);
  if (packet.any()) {
    fail("expected no packet in the completion port, but there was one of " + std::to_string(packet.bytes) + " bytes, error " +
         std::to_string(packet.error));
  }
}

// A client of the server with the other end of its connection.
struct Pair {
  std::shared_ptr<RecvClient> client;
  TestClient peer;
};

// A port made by the student's create_port, and clients for it. The port is made of plain calls where the test is about
// something else, so that it fails for one reason only.
class Room {
 public:
  Room() : port(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0)) {
    check("the test's own completion port is made", port.valid());
  }
  ~Room() {
    for (const auto& client : clients_) client->socket.close();
    while (take(port.get(), 0).any()) {
    }
    // The system may still own an OVERLAPPED in them, so they stay for as long as the process.
    static std::vector<std::shared_ptr<RecvClient>> kept;
    kept.insert(kept.end(), clients_.begin(), clients_.end());
  }

  Pair connect(std::shared_ptr<RecvClient> client = std::make_shared<RecvClient>()) {
    Pair pair{std::move(client), TestClient(listener_.port)};
    pair.client->socket = listener_.accept();
    pair.client->peer = {"127.0.0.1", pair.peer.local_port()};
    clients_.push_back(pair.client);
    return pair;
  }

  // The client's connection ends; then another one begins, for another client, with the same socket number.
  Pair connect_with_the_number_of(Client& old) {
    Pair pair{std::make_shared<RecvClient>(), TestClient(listener_.port)};
    pair.client->socket = listener_.accept_with_the_number_of(old.socket);
    clients_.push_back(pair.client);
    return pair;
  }

  lab::UniqueHandle port;

 private:
  Listener listener_;
  std::vector<std::shared_ptr<RecvClient>> clients_;
};

// Ties a client to the port by the plain call.
void tie(const Room& room, const Client& client) {
  const auto socket = reinterpret_cast<HANDLE>(client.socket.get());
  check("the test's own call ties the socket to the port",
        ::CreateIoCompletionPort(socket, room.port.get(), reinterpret_cast<ULONG_PTR>(&client), 0) == room.port.get());
}

void check_message(const Packet& packet, const RecvClient& client, const std::string& message) {
  check("the receive succeeded; the error was " + std::to_string(packet.error), packet.ok);
  check("the key is the address of the client", packet.key == reinterpret_cast<ULONG_PTR>(static_cast<const Client*>(&client)));
  check("the OVERLAPPED is the client's", packet.overlapped == &client.recv_overlapped);
  check_equal("the number of bytes", packet.bytes, message.size());
  check_equal("the bytes in the client's buffer", std::string(client.recv_buffer.data(), packet.bytes), message);
}

// --- The port --------------------------------------------------------------------------------------------------------

LAB_TEST(Lab02, CreatePortMakesAPort, "N1", kPort) {
  STEP("two ports are made");
  const lab::UniqueHandle first = lab::create_port(0);
  check_equal("the number of concurrent threads; 0 is one per processor", concurrency_of_last_port(), 0u);
  const lab::UniqueHandle second = lab::create_port(2);
  check_equal("the number of concurrent threads", concurrency_of_last_port(), 2u);
  const lab::UniqueHandle crowded = lab::create_port(300);
  check_equal("the number of concurrent threads", concurrency_of_last_port(), 300u);
  check("both handles are valid", first.valid() && second.valid());
  check("they are two different ports", first.get() != second.get());
  STEP("ports for 1, 2, 3, 65537 and 2^31 + 1 threads are made");
  for (const unsigned threads : {1u, 2u, 3u, 65537u, (1u << 31) + 1}) {
    const lab::UniqueHandle port = lab::create_port(threads);
    check_equal("the number of concurrent threads", concurrency_of_last_port(), threads);
  }
  STEP("a packet is posted to the first one");
  OVERLAPPED overlapped{};
  check("the post succeeds", ::PostQueuedCompletionStatus(first.get(), 7, 42, &overlapped));
  check_no_packet(second.get());
  const Packet packet = next_packet(first.get());
  check("it comes out unchanged", packet.ok && packet.bytes == 7 && packet.key == 42 && packet.overlapped == &overlapped);
  STEP("a port is made and closed 50 times");
  const std::size_t before = open_handles();
  for (int i = 0; i < 50; ++i) check("the handle is valid", lab::create_port(1).valid());
  check("no handle is left open", open_handles() < before + 25);
  if (NoMoreHandles::works) {
    STEP("the system has no handle to give");
    try {
      const NoMoreHandles nothing;
      lab::create_port(0);
    } catch (const std::system_error& error) {
      check(std::string("the error names the call CreateIoCompletionPort, not: ") + error.what(),
            std::string(error.what()).find("CreateIoCompletionPort") != std::string::npos);
      check("the error has a code", error.code().value() != 0);
      return;
    }
    fail("expected that create_port throws std::system_error, but it returned");
  }
}

// --- The key ---------------------------------------------------------------------------------------------------------

// A client that is not at the beginning of its object.
struct Named {
  virtual ~Named() = default;
  std::string name = "a client with a name";
};
struct NamedClient : Named, RecvClient {};

LAB_TEST(Lab02, TheKeyIsTheClient, "N6", kAssociate) {
  Room room;
  STEP("ten clients are associated, and each has a receive pending");
  std::vector<Pair> pairs;
  for (int i = 0; i < 10; ++i) {
    pairs.push_back(room.connect());
    check("associate returns true", lab::associate(room.port.get(), *pairs.back().client));
    check("post_recv returns true", lab::post_recv(*pairs.back().client));
  }
  STEP("each gets its own message, the last client first");
  for (std::size_t i = pairs.size(); i-- > 0;) {
    const std::string message = "message for " + std::to_string(i);
    pairs[i].peer.send(message);
    const Packet packet = next_packet(room.port.get());
    check_message(packet, *pairs[i].client, message);
    check("client_from_key gives the client", &lab::client_from_key(packet.key) == pairs[i].client.get());
  }
  STEP("a client is associated that has another base class before Client");
  Pair named = room.connect(std::make_shared<NamedClient>());
  check("associate returns true", lab::associate(room.port.get(), *named.client));
  check("post_recv returns true", lab::post_recv(*named.client));
  named.peer.send("hello");
  check_message(next_packet(room.port.get()), *named.client, "hello");
}

LAB_TEST(Lab02, AssociateTwiceFailsWithoutHarm, "N3", kAssociate) {
  Room room;
  STEP("a client is associated");
  Pair pair = room.connect();
  check("associate returns true", lab::associate(room.port.get(), *pair.client));
  STEP("it is associated again, with the same port and with another one");
  const lab::UniqueHandle other(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0));
  ::SetLastError(0);
  check("the second associate returns false", !lab::associate(room.port.get(), *pair.client));
  check_equal("GetLastError()", ::GetLastError(), 87u);
  check("associate with another port returns false", !lab::associate(other.get(), *pair.client));
  STEP("the port still works, with the first key");
  check("post_recv returns true", lab::post_recv(*pair.client));
  pair.peer.send("hello");
  check_message(next_packet(room.port.get()), *pair.client, "hello");
  check_no_packet(other.get());
  STEP("and it takes another client");
  Pair next = room.connect();
  check("associate returns true", lab::associate(room.port.get(), *next.client));
  STEP("that one leaves, and at the same address in memory there is a new client, with a new socket");
  next.client->socket.close();
  Pair again = room.connect(next.client);
  check("associate returns true", lab::associate(room.port.get(), *again.client));
  STEP("a client leaves, and a new one has a socket with the same number");
  Pair old = room.connect();
  const SOCKET number = old.client->socket.get();
  check("associate returns true", lab::associate(room.port.get(), *old.client));
  Pair reborn = room.connect_with_the_number_of(*old.client);
  if (reborn.client->socket.get() != number) return;  // Wine may choose another one
  check("associate returns true", lab::associate(room.port.get(), *reborn.client));
  check("post_recv returns true", lab::post_recv(*reborn.client));
  reborn.peer.send("hello");
  check_message(next_packet(room.port.get()), *reborn.client, "hello");
}

LAB_TEST(Lab02, AssociateNeedsAnOpenSocketAndAPort, "N3", kAssociate) {
  Room room;
  STEP("a client whose socket is closed");
  Pair closed = room.connect();
  closed.client->socket.close();
  check("associate returns false", !lab::associate(room.port.get(), *closed.client));
  STEP("a client with a socket, but a handle that is no port");
  Pair pair = room.connect();
  const auto no_port = reinterpret_cast<HANDLE>(pair.client->socket.get());
  check("associate returns false", !lab::associate(no_port, *pair.client));
  STEP("the same client, and a null port, for which the call would make a new port");
  check("associate returns false", !lab::associate(nullptr, *pair.client));
  STEP("the same client, and a real port");
  check("associate returns true", lab::associate(room.port.get(), *pair.client));
  check("its socket is open", pair.peer.look() == End::none);
}

// --- The receive -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab02, PostRecvZeroesTheOverlapped, "N8", kRecv) {
  Room room;
  Pair pair = room.connect();
  tie(room, *pair.client);
  for (const std::string message : {"first", "second", "third"}) {
    STEP(message == "third" ? "a client's OVERLAPPED has old values; it looks as if a receive were pending (259)"
                            : "a client's OVERLAPPED is full of old bytes (0xCC)");
    std::memset(static_cast<void*>(&pair.client->recv_overlapped), 0xCC, sizeof(OVERLAPPED));
    if (message == "third") pair.client->recv_overlapped.Internal = 259;  // STATUS_PENDING
    STEP("post_recv, then the message \"" + message + "\"");
    check("post_recv returns true", lab::post_recv(*pair.client));
    pair.peer.send(message);
    check_message(next_packet(room.port.get()), *pair.client, message);
    const OVERLAPPED& overlapped = pair.client->recv_overlapped;
    check("hEvent and the offset are zero", overlapped.hEvent == nullptr && overlapped.Offset == 0 && overlapped.OffsetHigh == 0);
  }
}

// Until `size` bytes wait in the socket. Takes nothing.
void wait_for_bytes(const Client& client, int size) {
  u_long on = 1;
  check("ioctlsocket succeeds", ::ioctlsocket(client.socket.get(), FIONBIO, &on) == 0);
  check_eventually("the bytes have arrived at the server's socket", [&] {
    std::vector<char> room(static_cast<std::size_t>(size));
    return ::recv(client.socket.get(), room.data(), size, MSG_PEEK) == size;
  });
}

// Until the end of the connection has arrived at the server's socket.
void wait_for_end(const Client& client) {
  u_long on = 1;
  check("ioctlsocket succeeds", ::ioctlsocket(client.socket.get(), FIONBIO, &on) == 0);
  check_eventually("the end of the connection has arrived", [&] {
    char byte = 0;
    return ::recv(client.socket.get(), &byte, 1, MSG_PEEK) == 0;
  });
}

constexpr int kOldError = 4711;  // no call of this test fails with it

LAB_TEST(Lab02, PostRecvSaysWhetherACompletionWillCome, "N4", kRecv) {
  Room room;
  STEP("nothing has been sent: WSA_IO_PENDING (997) is no error");
  Pair pair = room.connect();
  tie(room, *pair.client);
  check("post_recv returns true", lab::post_recv(*pair.client));
  check_no_packet(room.port.get());
  check("the OVERLAPPED says that the receive is pending; nobody writes to it now",
        !HasOverlappedIoCompleted(&pair.client->recv_overlapped));
  pair.peer.send("late");
  check_message(next_packet(room.port.get()), *pair.client, "late");

  STEP("1500 bytes wait already: WSARecv succeeds at once, and its packet is queued all the same");
  const std::string bytes = pattern(1500, 1);
  pair.peer.send(bytes);
  wait_for_bytes(*pair.client, 1500);
  check("post_recv returns true", lab::post_recv(*pair.client));
  check_message(next_packet(room.port.get()), *pair.client, bytes.substr(0, 1024));
  check_no_packet(room.port.get());
  check("post_recv returns true", lab::post_recv(*pair.client));
  check_message(next_packet(room.port.get()), *pair.client, bytes.substr(1024));

  STEP("the peer has closed: 0 bytes is a completion, too");
  check("post_recv returns true", lab::post_recv(*pair.client));
  pair.peer.half_close();
  check_message(next_packet(room.port.get()), *pair.client, "");

  STEP("the end of the connection has arrived before the receive is ordered: that is 0 bytes and a completion, too");
  Pair ended = room.connect();
  tie(room, *ended.client);
  ended.peer.half_close();
  wait_for_end(*ended.client);
  check("post_recv returns true", lab::post_recv(*ended.client));
  check_message(next_packet(room.port.get()), *ended.client, "");
  check_no_packet(room.port.get());

  STEP("the server's socket is closed by another thread as soon as the receive is ordered: its packet comes");
  Pair next = room.connect();
  tie(room, *next.client);
  Faults faults;
  faults.meanwhile(Call::WSARecv, [&] { next.client->socket.close(); });
  check("post_recv returns true", lab::post_recv(*next.client));
  check("the packet is the client's", next_packet(room.port.get()).overlapped == &next.client->recv_overlapped);

  STEP("the server's socket is closed: no completion will come");
  pair.client->socket.close();
  ::WSASetLastError(kOldError);
  const bool posted = lab::post_recv(*pair.client);
  const int told = ::WSAGetLastError();
  check("post_recv returns false", !posted);
  check("WSAGetLastError() tells why, and nothing older; it was " + to_text(told), told != kOldError && told != 0);
  check_no_packet(room.port.get());
}

LAB_TEST(Lab02, OneReceiveIsPendingNotTwo, "N4", kRecv) {
  Room room;
  STEP("a client is associated and one receive is posted");
  Pair pair = room.connect();
  tie(room, *pair.client);
  check("post_recv returns true", lab::post_recv(*pair.client));
  STEP("a first message comes");
  pair.peer.send("one");
  check_message(next_packet(room.port.get()), *pair.client, "one");
  STEP("a second one comes; it waits in the socket, because no receive is posted");
  pair.peer.send("two");
  u_long on = 1;
  check("ioctlsocket succeeds", ::ioctlsocket(pair.client->socket.get(), FIONBIO, &on) == 0);
  check_eventually("the second message waits in the socket", [&] {
    check_no_packet(room.port.get());
    char bytes[3];
    return ::recv(pair.client->socket.get(), bytes, 3, MSG_PEEK) == 3;
  });
  STEP("a receive is posted again");
  check("post_recv returns true", lab::post_recv(*pair.client));
  check_message(next_packet(room.port.get()), *pair.client, "two");
  check_no_packet(room.port.get());
  STEP("post_recv stands still, and another thread does post_recv for another client");
  Pair second = room.connect();
  tie(room, *second.client);
  bool one_posted = false, other_posted = false;
  at_each_instruction({"post_recv", "post_recv for another client", [] {}, [&] { one_posted = lab::post_recv(*pair.client); },
                       [&] { other_posted = lab::post_recv(*second.client); }, [&] {
                         check("both return true", one_posted && other_posted);
                         pair.peer.send("for one");
                         check_message(next_packet(room.port.get()), *pair.client, "for one");
                         second.peer.send("the other");
                         check_message(next_packet(room.port.get()), *second.client, "the other");
                       }});
}

// --- The registration ------------------------------------------------------------------------------------------------

bool first_recv(Client& client) { return lab::post_recv(static_cast<RecvClient&>(client)); }

// True when the socket is tied to a port: a second port is then refused with 87.
bool is_associated(const Client& client) {
  const lab::UniqueHandle other(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0));
  const auto socket = reinterpret_cast<HANDLE>(client.socket.get());
  return ::CreateIoCompletionPort(socket, other.get(), 1, 0) == nullptr && ::GetLastError() == 87;
}

LAB_TEST(Lab02, RegisterAssociatesThenPostsTheFirstReceive, "N2", kRegister) {
  Room room;
  ClientTable table(10);
  STEP("a client is registered");
  Pair pair = room.connect();
  check("insert takes it", table.insert(pair.client));
  int calls = 0;
  Client* got = nullptr;
  bool was_associated = false;
  std::thread::id thread;
  const auto captured = std::make_shared<int>(0);
  const lab::ClientId id = pair.client->id;
  check("register_client returns true", lab::register_client(room.port.get(), table, pair.client, [&, captured](Client& client) {
          ++calls;
          got = &client;
          was_associated = is_associated(client);
          thread = std::this_thread::get_id();
          return true;
        }));
  check_equal("how often first_recv was called", calls, 1);
  check("first_recv got the client", got == pair.client.get());
  check("the socket was associated before first_recv was called", was_associated);
  check("first_recv was called on the thread of register_client: a receive is cancelled when its thread ends",
        thread == std::this_thread::get_id());
  check("the client is still in the table, with its id", pair.client->id == id && table.find(id) == pair.client);
  check("its peer is what it was", pair.client->peer.ip == "127.0.0.1" && pair.client->peer.port == pair.peer.local_port());
  check("nothing keeps first_recv", captured.use_count() == 1);
  check("its socket is open", pair.client->socket.valid() && pair.peer.look() == End::none);
  STEP("its key is its address");
  check("post_recv returns true", lab::post_recv(*pair.client));
  pair.peer.send("hello");
  check_message(next_packet(room.port.get()), *pair.client, "hello");
  STEP("another client is registered; its first completion comes before the return, and another thread lets it go");
  Pair brief = room.connect();
  check("insert takes it", table.insert(brief.client));
  check("register_client returns true: both were done", lab::register_client(room.port.get(), table, brief.client, [&](Client& client) {
          check("erase takes it out", table.erase(client.id));
          client.socket.close();
          return true;
        }));
  check_equal("the clients in the table", table.size(), 1);
  STEP("register_client keeps nothing: the table and the test have the client, nobody else");
  check_equal("the references to the client, besides the table's and the test's", pair.client.use_count() - 3, 0);
  check_equal("the references to the other one, besides the test's", brief.client.use_count() - 2, 0);
  STEP("a second server has a port and a table of its own");
  Room second_room;
  ClientTable second_table(10);
  Pair other = second_room.connect();
  check("insert takes it", second_table.insert(other.client));
  check("register_client returns true",
        lab::register_client(second_room.port.get(), second_table, other.client, first_recv));
  other.peer.send("hello");
  check_message(next_packet(second_room.port.get()), *other.client, "hello");
}

// A table in which the client has others around it, and an id that needs more than 16 bits. One place is free.
struct Neighbours {
  explicit Neighbours(Pair& pair) {
    const auto often = std::make_shared<Client>();
    for (int i = 0; i < 66000; ++i) {
      check("insert takes a client", table.insert(often));
      check("erase takes it out", table.erase(often->id));
    }
    for (const auto& client : {before, std::static_pointer_cast<Client>(pair.client), after}) {
      check("insert takes a client", table.insert(client));
    }
  }
  void check_they_stay() const {
    check("the clients before and after it are still in the table",
          table.size() == 2 && table.find(before->id) == before && table.find(after->id) == after);
  }
  std::shared_ptr<Client> before = std::make_shared<Client>(), after = std::make_shared<Client>();  // no socket, as if just closed
  ClientTable table{4};
};

// After a registration that failed: nothing of the client is left.
void check_given_back(ClientTable& table, Pair& pair, lab::ClientId id) {
  check("the client is out of the table", table.find(id) == nullptr && table.size() == 0);
  check("its socket is closed", !pair.client->socket.valid());
  pair.peer.expect_closed();
  check("there is room in the table for another", table.insert(std::make_shared<Client>()));
  check_equal("the references to the client, besides the test's two", pair.client.use_count() - 2, 0);
}

// The association must fail.
void register_in_vain(HANDLE port, Neighbours& neighbours, Pair& pair) {
  int calls = 0;
  check("register_client returns false", !lab::register_client(port, neighbours.table, pair.client, [&](Client&) {
          ++calls;
          return true;
        }));
  check_equal("how often first_recv was called", calls, 0);
  neighbours.check_they_stay();
  check("its socket is closed", !pair.client->socket.valid());
  pair.peer.expect_closed();
}

LAB_TEST(Lab02, AFailedAssociationGivesEverythingBack, "N2", kRegister) {
  Room room;
  ClientTable table(1);
  STEP("a client whose socket belongs to another port already");
  const lab::UniqueHandle other(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0));
  Pair pair = room.connect();
  const auto socket = reinterpret_cast<HANDLE>(pair.client->socket.get());
  check("the test's own call ties it", ::CreateIoCompletionPort(socket, other.get(), 1, 0) == other.get());
  check("insert takes it", table.insert(pair.client));
  STEP("it is registered");
  int calls = 0;
  const bool registered = lab::register_client(room.port.get(), table, pair.client, [&](Client&) {
    ++calls;
    return true;
  });
  check("register_client returns false", !registered);
  check_equal("how often first_recv was called", calls, 0);
  check_given_back(table, pair, pair.client->id);
  STEP("the port still takes clients");
  ClientTable second_table(1);
  Pair next = room.connect();
  check("insert takes the next one", second_table.insert(next.client));
  check("register_client returns true", lab::register_client(room.port.get(), second_table, next.client, first_recv));
  next.peer.send("hello");
  check_message(next_packet(room.port.get()), *next.client, "hello");
  STEP("a client whose socket has been closed by another thread already; there are others in the table");
  Pair closed = room.connect();
  Neighbours around(closed);
  closed.client->socket.close();
  register_in_vain(room.port.get(), around, closed);
  STEP("a client and a null port, for which the call would make a new port; there are others in the table");
  Pair lost = room.connect();
  Neighbours about(lost);
  const std::size_t made = count_of(Call::CreateIoCompletionPort);
  register_in_vain(nullptr, about, lost);
  check_equal("calls of CreateIoCompletionPort", count_of(Call::CreateIoCompletionPort) - made, 0);
  STEP("300 clients whose sockets are closed already, then one with a socket that is open");
  ClientTable small_table(1);
  for (int i = 0; i < 300; ++i) {
    const auto gone = std::make_shared<RecvClient>();
    check("insert takes it", small_table.insert(gone));
    check("register_client returns false", !lab::register_client(room.port.get(), small_table, gone, first_recv));
    check_equal("the clients in the table", small_table.size(), 0);
  }
  Pair late = room.connect();
  check("insert takes it", small_table.insert(late.client));
  check("register_client returns true", lab::register_client(room.port.get(), small_table, late.client, first_recv));
}

LAB_TEST(Lab02, AFailedFirstReceiveGivesEverythingBack, "N2", kRegister) {
  Room room;
  ClientTable table(1);
  STEP("a client is registered, but first_recv returns false");
  Pair pair = room.connect();
  check("insert takes it", table.insert(pair.client));
  int calls = 0;
  const bool registered = lab::register_client(room.port.get(), table, pair.client, [&](Client&) {
    ++calls;
    return false;
  });
  check("register_client returns false", !registered);
  check_equal("how often first_recv was called", calls, 1);
  check_given_back(table, pair, pair.client->id);
  check_no_packet(room.port.get());
  STEP("another client is registered; somebody else takes it out of the table, and then first_recv returns false");
  ClientTable second_table(1);
  Pair kicked = room.connect();
  check("insert takes it", second_table.insert(kicked.client));
  check("register_client returns false", !lab::register_client(room.port.get(), second_table, kicked.client, [&](Client& client) {
          check("erase takes it out", second_table.erase(client.id));
          return false;
        }));
  check_given_back(second_table, kicked, kicked.client->id);
  STEP("there are others in the table, and a packet is in the port, which is somebody else's");
  OVERLAPPED overlapped{};
  check("the post succeeds", ::PostQueuedCompletionStatus(room.port.get(), 7, 42, &overlapped));
  Pair unlucky = room.connect();
  Neighbours around(unlucky);
  check("register_client returns false",
        !lab::register_client(room.port.get(), around.table, unlucky.client, [](Client&) { return false; }));
  around.check_they_stay();
  check("its socket is closed", !unlucky.client->socket.valid());
  check("the packet is still there", next_packet(room.port.get()).overlapped == &overlapped);
  STEP("first_recv returns false 150 times, then true");
  ClientTable small_table(1);
  for (int i = 0; i <= 150; ++i) {
    Pair next = room.connect();
    check("insert takes it", small_table.insert(next.client));
    const bool goes_well = i == 150;
    check("register_client returns what first_recv returned",
          lab::register_client(room.port.get(), small_table, next.client, [&](Client&) { return goes_well; }) == goes_well);
  }
  STEP("first_recv returns false, and register_client stands still while another thread closes the same socket");
  ClientTable third_table(1);
  std::optional<Pair> round;
  bool was_registered = false;
  at_each_instruction({"register_client", "UniqueSocket::close", [&] {
                         round.emplace(room.connect());
                         check("insert takes it", third_table.insert(round->client));
                       },
                       [&] {
                         was_registered = lab::register_client(room.port.get(), third_table, round->client, [](Client&) { return false; });
                       },
                       [&] { round->client->socket.close(); }, [&] {
                         check("register_client returned false", !was_registered);
                         check_equal("the size of the table", third_table.size(), 0);
                         round->peer.expect_closed();
                         if (const std::string rule = broken_rule(); !rule.empty()) fail("expected no broken rule, but " + rule);
                       }});
}

// What a registration did with a socket, in the order of the calls.
std::vector<std::string> registration_of(SOCKET socket) {
  std::vector<std::string> calls = calls_on(socket);
  std::erase_if(calls, [](const std::string& call) { return call != "CreateIoCompletionPort" && call != "WSARecv"; });
  return calls;
}

LAB_TEST(Lab02, ARegistrationIsTwoCallsInThisOrder, "N2, N3, N4", kRegister) {
  Room room;
  ClientTable table(10);
  const std::vector<std::string> expected = {"CreateIoCompletionPort", "WSARecv"};
  STEP("a silent client is registered");
  Pair silent = room.connect();
  check("insert takes it", table.insert(silent.client));
  check("register_client returns true", lab::register_client(room.port.get(), table, silent.client, first_recv));
  check_equal("the calls for its socket", registration_of(silent.client->socket.get()), expected);
  STEP("a client is registered whose bytes are there already");
  Pair early = room.connect();
  early.peer.send("early");
  wait_for_bytes(*early.client, 5);
  check("insert takes it", table.insert(early.client));
  check("register_client returns true", lab::register_client(room.port.get(), table, early.client, first_recv));
  check_equal("the calls for its socket", registration_of(early.client->socket.get()), expected);
  check_message(next_packet(room.port.get()), *early.client, "early");
  check_no_packet(room.port.get());
}

constexpr int kIncomplete = 996;     // one less than WSA_IO_PENDING
constexpr int kNetnameDeleted = 64;  // of the system, not of Winsock: no list of codes is complete

LAB_TEST(Lab02, CallsThatFailGiveEverythingBack, "N2, N4", kRegister) {
  Faults faults;
  for (const int code : {8, 1450, 6}) {
    STEP("CreateIoCompletionPort fails with " + std::to_string(code) + " when a port is made");
    faults.fail(Call::CreateIoCompletionPort, code);
    bool thrown = false;
    try {
      lab::create_port(0);
    } catch (const std::system_error& error) {
      thrown = true;
      check_equal("the code of the error", error.code().value(), code);
      check(std::string("the error names the call, not: ") + error.what(),
            std::string(error.what()).find("CreateIoCompletionPort") != std::string::npos);
    }
    check("create_port throws std::system_error", thrown);
  }
  Room room;
  for (const unsigned code : {87u, 8u, 1450u}) {
    STEP("CreateIoCompletionPort fails with " + std::to_string(code) + " when a client is associated, then when one is registered");
    Pair pair = room.connect();
    const SOCKET socket = pair.client->socket.get();
    faults.fail(Call::CreateIoCompletionPort, static_cast<int>(code));
    const bool associated = lab::associate(room.port.get(), *pair.client);
    const DWORD told = ::GetLastError();
    check("associate returns false", !associated);
    check_equal("GetLastError()", told, code);
    ClientTable table(1);
    check("insert takes it", table.insert(pair.client));
    faults.fail(Call::CreateIoCompletionPort, static_cast<int>(code));
    int calls = 0;
    check("register_client returns false", !lab::register_client(room.port.get(), table, pair.client, [&](Client& client) {
            ++calls;
            return first_recv(client);
          }));
    check_equal("how often first_recv was called", calls, 0);
    check_equal("how many receives were posted", count_of(Call::WSARecv, socket), 0u);
    check_given_back(table, pair, pair.client->id);
  }
  for (const int code : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAENOTCONN, WSAESHUTDOWN, WSAEINTR, WSAEWOULDBLOCK,
                         WSAEINPROGRESS, WSAENETDOWN, WSAEMSGSIZE, kIncomplete, kNetnameDeleted}) {
    STEP("WSARecv fails at once with " + std::to_string(code) + " in post_recv; the next one goes well");
    Pair pair = room.connect();
    tie(room, *pair.client);
    faults.fail(Call::WSARecv, code);
    const bool posted = lab::post_recv(*pair.client);
    const int told = ::WSAGetLastError();
    check("post_recv returns false", !posted);
    check_equal("WSAGetLastError()", told, code);
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    check("post_recv returns true", lab::post_recv(*pair.client));
    pair.peer.send("hello");
    check_message(next_packet(room.port.get()), *pair.client, "hello");
    STEP("WSARecv fails at once with " + std::to_string(code) + " when a client is registered");
    ClientTable table(1);
    Pair next = room.connect();
    const SOCKET socket = next.client->socket.get();
    check("insert takes it", table.insert(next.client));
    faults.fail(Call::WSARecv, code);
    check("register_client returns false", !lab::register_client(room.port.get(), table, next.client, first_recv));
    check_equal("how many receives were posted", count_of(Call::WSARecv, socket), 1u);
    check_given_back(table, next, next.client->id);
    check_no_packet(room.port.get());
  }
  STEP("WSARecv fails 300 times, then it goes well");
  Pair patient = room.connect();
  tie(room, *patient.client);
  faults.fail(Call::WSARecv, WSAENOBUFS, 300);
  for (int i = 0; i < 300; ++i) check("post_recv returns false", !lab::post_recv(*patient.client));
  check("post_recv returns true", lab::post_recv(*patient.client));
  patient.peer.send("hello");
  check_message(next_packet(room.port.get()), *patient.client, "hello");
}

// A thread that takes completions out of the port, as the program's does, until its clients have left.
class Completions {
 public:
  Completions(HANDLE port, ClientTable& table, std::size_t clients) : port_(port), table_(table), clients_(clients) {}

  void take_all() {
    while (!over_) {
      const Packet packet = take(port_, 50);
      if (packet.overlapped == nullptr) continue;
      auto& client = static_cast<RecvClient&>(lab::client_from_key(packet.key));
      check("the OVERLAPPED is that of the client", packet.overlapped == &client.recv_overlapped);
      if (packet.ok) received_[client.id].append(client.recv_buffer.data(), packet.bytes);
      if (packet.ok && packet.bytes > 0 && lab::post_recv(client)) continue;
      check("the client is in the table until it leaves", table_.erase(client.id));
      if (++left_ == clients_) over_ = true;
    }
  }
  void give_up() { over_ = true; }
  std::size_t left() const { return left_; }
  std::string received(lab::ClientId id) { return received_[id]; }  // when the thread has ended

 private:
  const HANDLE port_;
  ClientTable& table_;
  const std::size_t clients_;
  std::atomic<std::size_t> left_{0};
  std::atomic<bool> over_{false};
  std::map<lab::ClientId, std::string> received_;
};

// Ends the completion thread, also when a check fails.
struct GiveUp {
  Completions& completions;
  ~GiveUp() { completions.give_up(); }
};

LAB_TEST(Lab02, SeedsOfACompletionBeforeTheReturn, "N2, N4, N6", kRegister) {
  STEP("two clients that have spoken are registered; another thread handles their completions. The seed chooses who goes on");
  for_each_seed(30, [](std::uint64_t seed) {
    Room room;
    ClientTable table(2);
    std::vector<Pair> pairs;
    std::vector<lab::ClientId> ids;
    std::vector<int> registered(2, -1);
    for (int i = 0; i < 2; ++i) {
      pairs.push_back(room.connect());
      check("insert takes it", table.insert(pairs.back().client));
      ids.push_back(pairs.back().client->id);
      pairs.back().peer.send("hello");
      wait_for_bytes(*pairs.back().client, 5);
    }
    Completions completions(room.port.get(), table, 2);
    {
      Conductor conductor(seed);
      const GiveUp give_up{completions};
      conductor.call("the completion thread", [&] { completions.take_all(); });
      conductor.call("the accept thread", [&] {
        for (unsigned i = 0; i < 2; ++i) {
          registered[i] = lab::register_client(room.port.get(), table, pairs[i].client, first_recv) ? 1 : 0;
        }
      });
      for (unsigned i = 0; i < 2; ++i) {
        conductor.act(i, [&pairs, i] { pairs[i].peer.send(", server"); });
        conductor.act(i, [&pairs, i] { pairs[i].peer.half_close(); });
      }
      conductor.play();
      check_equal("how many of the two clients have left", completions.left(), 2u);
    }
    check_equal("the clients in the table", table.size(), 0u);
    for (std::size_t i = 0; i < 2; ++i) {
      check_equal("what register_client returned, 1 is true", registered[i], 1);
      check_equal("what was received", completions.received(ids[i]), std::string("hello, server"));
      check_equal("the references to the client, besides the test's two", pairs[i].client.use_count() - 2, 0);
      check("its socket is open: the completion thread did not close it", pairs[i].client->socket.valid());
    }
  });
  STEP("one client that has spoken is registered, in every order of the two threads with at most two preemptions");
  for_each_order(2, [](std::uint64_t seed) {
    Room room;
    ClientTable table(1);
    Pair pair = room.connect();
    check("insert takes it", table.insert(pair.client));
    const lab::ClientId id = pair.client->id;
    pair.peer.send("hello");
    wait_for_bytes(*pair.client, 5);
    int registered = -1;
    Completions completions(room.port.get(), table, 1);
    {
      Conductor conductor(seed);
      const GiveUp give_up{completions};
      conductor.call("the completion thread", [&] { completions.take_all(); });
      conductor.call("the accept thread", [&] {
        registered = lab::register_client(room.port.get(), table, pair.client, first_recv) ? 1 : 0;
      });
      conductor.act(0, [&] { pair.peer.half_close(); });
      conductor.play();
      check_equal("how many clients have left", completions.left(), 1u);
    }
    check_equal("the clients in the table", table.size(), 0u);
    check_equal("what register_client returned, 1 is true", registered, 1);
    check_equal("what was received", completions.received(id), std::string("hello"));
    check_equal("the references to the client, besides the test's two", pair.client.use_count() - 2, 0);
    check("its socket is open: the completion thread did not close it", pair.client->socket.valid());
  });
}

LAB_TEST(Lab02, AHundredClientsKeepTheirKeys, "N6", kRegister) {
  Room room;
  ClientTable table(100);
  STEP("100 clients are registered");
  std::vector<Pair> pairs;
  for (int i = 0; i < 100; ++i) {
    pairs.push_back(room.connect());
    check("insert takes it", table.insert(pairs.back().client));
    check("register_client returns true", lab::register_client(room.port.get(), table, pairs.back().client, first_recv));
  }
  for (const std::string round : {"first", "second"}) {
    STEP("each gets its " + round + " message");
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].peer.send(round + " for " + std::to_string(i));
    std::vector<bool> seen(pairs.size());
    for (std::size_t n = 0; n < pairs.size(); ++n) {
      const Packet packet = next_packet(room.port.get());
      std::size_t i = 0;
      while (i < pairs.size() && packet.overlapped != &pairs[i].client->recv_overlapped) ++i;
      check("the OVERLAPPED is that of a client", i < pairs.size());
      check("each client has one completion", !seen[i]);
      seen[i] = true;
      check_message(packet, *pairs[i].client, round + " for " + std::to_string(i));
      check("post_recv returns true", lab::post_recv(*pairs[i].client));
    }
    check_no_packet(room.port.get());
  }
}

// --- The program -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab02, TheProgramPrintsKeyAndBytes, "N6", kProgram) {
  STEP("the program starts, and two clients connect");
  ServerProgram server({"--max-clients", "2"});
  std::vector<TestClient> peers;
  std::vector<std::string> keys;
  for (int id = 1; id <= 2; ++id) {
    peers.emplace_back(server.port);
    const std::string line = server.wait_for_line("client " + std::to_string(id) + " connected from 127.0.0.1:" +
                                                  std::to_string(peers.back().local_port()));
    keys.push_back(line.substr(line.find("key ")));
  }
  check("the two keys differ: " + keys[0], keys[0] != keys[1]);
  STEP("each sends twice; the second one first");
  for (const int size : {5, 300}) {
    for (const std::size_t i : {1, 0}) {
      peers[i].send(std::string(static_cast<std::size_t>(size), 'x'));
      server.wait_for_line("completion: " + keys[i] + " (client " + std::to_string(i + 1) + "), " + std::to_string(size) +
                           " bytes, error 0");
    }
  }
  STEP("a third one is refused");
  TestClient third(server.port);
  server.wait_for_line("refused");
  third.expect_closed();
  STEP("one closes, the other resets");
  peers[0].close();
  server.wait_for_line("(client 1), 0 bytes");
  server.wait_for_line("client 1 left");
  peers[1].abort();
  server.wait_for_line("client 2 left");
  STEP("there is room again");
  TestClient late(server.port);
  server.wait_for_line("connected from 127.0.0.1:" + std::to_string(late.local_port()));
  server.stop();
}

LAB_TEST(Lab02, TheProgramDrainsBeforeItEnds, "N4", kProgram) {
  STEP("the program starts, and 20 clients connect");
  ServerProgram server;
  auto peers = connect_many(server.port, 20);
  for (int i = 0; i < 20; ++i) server.wait_for_line("connected from");
  peers[7].send("hello");
  server.wait_for_line("5 bytes");
  STEP("another one is started on the same port");
  Program second({"--port", std::to_string(server.port)});
  check_equal("the exit code for a port in use", second.wait_for_exit(), 1);
  STEP("Ctrl+C: each pending receive completes");
  server.stop();
  server.wait_for_line("stopping: 20 clients are connected");
  for (int i = 0; i < 20; ++i) server.wait_for_line("left");
  server.wait_for_line("stopped: every receive has completed");
  for (TestClient& peer : peers) peer.expect_closed();
}

}  // namespace
