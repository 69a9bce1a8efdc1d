// Lab 01: the client table, the listening socket, the accept loop, and the program.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "accept.h"
#include "child_process.h"
#include "conductor.h"
#include "crowd.h"
#include "interrupted.h"
#include "net.h"
#include "resources.h"
#include "sanitized.h"
#include "seam.h"
#include "story.h"

using namespace test;
using lab::Client;
using lab::ClientId;
using lab::ClientTable;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // once they are inlined, GCC takes free() below for a mistake
#endif

// After so many blocks more, this thread gets none: then it is -1 again. -1: it gets all.
static thread_local int blocks_left = -1;

void* operator new(std::size_t size) {
  if (blocks_left >= 0 && --blocks_left < 0) throw std::bad_alloc();
  void* block = std::malloc(size != 0 ? size : 1);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace {

constexpr const char* kTable = "lab01_accept/README.md#step-1-the-table";
constexpr const char* kListener = "lab01_accept/README.md#step-2-the-listening-socket";
constexpr const char* kLoop = "lab01_accept/README.md#step-3-the-accept-loop";
constexpr const char* kProgram = "lab01_accept/README.md#step-4-try-it";

// --- The table -------------------------------------------------------------------------------------------------------

// Inserts a new client, which must succeed. Its socket is closed, as that of a client who is about to leave: it stays until it
// is erased.
std::shared_ptr<Client> inserted(ClientTable& table) {
  auto client = std::make_shared<Client>();
  client->peer = {"127.0.0.1", 4000};
  check("insert takes the client", table.insert(client));
  return client;
}

std::vector<ClientId> ids_of(const std::vector<std::shared_ptr<Client>>& clients) {
  std::vector<ClientId> ids;
  for (const auto& client : clients) ids.push_back(client ? client->id : 0);
  return ids;
}

LAB_TEST(Lab01, IdsCountUpAndAreNeverGivenTwice, "N5", kTable) {
  ClientTable table(10);
  STEP("three clients are inserted");
  check_equal("the id of the first", inserted(table)->id, 1);
  check_equal("the id of the second", inserted(table)->id, 2);
  check_equal("the id of the third", inserted(table)->id, 3);
  check_equal("the size of the table", table.size(), 3);
  STEP("the last one leaves and a new one comes");
  check("erase(3) takes it out", table.erase(3));
  check_equal("the id of the new one", inserted(table)->id, 4);
  STEP("all leave and a new one comes");
  for (const ClientId id : {1, 2, 4}) check("erase takes it out", table.erase(id));
  check_equal("the size of the table", table.size(), 0);
  const auto fifth = inserted(table);
  check_equal("the id of the new one", fifth->id, 5);
  STEP("that one leaves and comes again: it gets a new id like everybody else");
  check("erase takes it out", table.erase(5));
  check("insert takes it", table.insert(fifth));
  check_equal("its id", fifth->id, 6);
  check("find gives it by the new id alone", table.find(6) == fifth && table.find(5) == nullptr);
  STEP("a second table is made: it counts by itself");
  ClientTable second(10);
  check_equal("the id of its first client", inserted(second)->id, 1);
  check_equal("the next id of the first table", inserted(table)->id, 7);
  check_equal("the size of the first table", table.size(), 2);
  check_equal("the size of the second table", second.size(), 1);
  STEP("one client after the other comes and leaves, until the ids need more than 20 bits, or it takes too long");
  const auto often = std::make_shared<Client>();
  const Crowd crowd(2);  // a table whose calls switch threads gets to 16 bits
  for (ClientId id = 8; id <= 66000 || (id <= (1 << 20) + 1000 && crowd.goes_on()); ++id) {
    check("insert takes the client", table.insert(often));
    if (often->id != id) check_equal("its id", often->id, id);
    check("erase takes it out", table.erase(id));
  }
  check_equal("the size of the table", table.size(), 2);
}

static void check_no_limit() {
  if (kSanitized) return;  // AddressSanitizer ends the process of a table that asks for so much memory
  STEP("a table without a limit, SIZE_MAX, and one whose limit is 0 when it is cut to 32 bits");
  for (const std::size_t limit : {SIZE_MAX, SIZE_MAX / 256 + 1}) {
    std::optional<ClientTable> unlimited;
    try {
      unlimited.emplace(limit);
    } catch (const std::bad_alloc&) {  // a table may allocate for all of its clients at once
      continue;
    } catch (const std::length_error&) {
      continue;
    }
    check_equal("the id of the first client", inserted(*unlimited)->id, 1);
    check_equal("the size of the table", unlimited->size(), 1);
  }
}

LAB_TEST(Lab01, AFullTableRefuses, "N5", kTable) {
  ClientTable table(2);
  STEP("a table for two clients gets two");
  inserted(table);
  const auto second = inserted(table);
  STEP("a third one comes");
  const auto third = std::make_shared<Client>();
  check("insert returns false", !table.insert(third));
  check_equal("the id of the refused client", third->id, 0);
  check_equal("the size of the table", table.size(), 2);
  check_equal("how many clients snapshot gives", table.snapshot().size(), 2);
  check_equal("the references to the refused client", third.use_count(), 1);
  STEP("one leaves, so there is room for one");
  check("erase takes it out", table.erase(second->id));
  check("insert takes the third client now", table.insert(third));
  check_equal("its id; the refusal has used up none", third->id, 3);
  check("find gives it", table.find(third->id) == third);
  check("a fourth one is refused", !table.insert(std::make_shared<Client>()));
  STEP("the one that left comes again");
  check("it is refused", !table.insert(second));
  check_equal("its id: a refused client is unchanged", second->id, 2);
  STEP("a table for nobody, and one for 65536 clients");
  ClientTable nobody(0), many(65536);
  check("the first one refuses", !nobody.insert(std::make_shared<Client>()) && nobody.size() == 0);
  inserted(many);
  check_no_limit();
}

struct SpecialClient : Client {};

// Asks the table when it is destroyed.
struct Asking : Client {
  explicit Asking(const ClientTable& clients, std::size_t& left) : clients(clients), left(left) {}
  ~Asking() override { left = clients.size(); }
  const ClientTable& clients;
  std::size_t& left;  // how many clients are in the table then
};

LAB_TEST(Lab01, EraseTakesAClientOutOnce, "N5", kTable) {
  ClientTable table(10);
  STEP("a client with a connection is inserted, between two others");
  Listener listener;
  TestClient peer(listener.port);
  inserted(table);
  std::shared_ptr<Client> client = std::make_shared<SpecialClient>();
  client->socket = listener.accept();
  check("insert takes the client", table.insert(client));
  inserted(table);
  const ClientId id = client->id;
  STEP("it is looked up by its id");
  check("find gives the same object", table.find(id) == client);
  check("find gives null for an id that nobody has", table.find(1000) == nullptr && table.find(0) == nullptr);
  STEP("it is erased");
  check("erase returns true", table.erase(id));
  check("find gives null now", table.find(id) == nullptr);
  check_equal("the size of the table", table.size(), 2);
  check("a second erase returns false", !table.erase(id));
  check("erase of an id that nobody has returns false", !table.erase(1000) && !table.erase(0));
  check_equal("the size of the table", table.size(), 2);
  STEP("somebody still holds the client, so its connection is open");
  check("the socket is open", client->socket.valid() && peer.look() == End::none);
  STEP("the last reference goes");
  check_equal("the references to the client that was erased", client.use_count(), 1);
  client.reset();
  check("the peer sees an orderly close", peer.expect_closed() == End::eof);
  STEP("another one is erased by one thread, while another has it from find");
  const std::weak_ptr<Client> alive = table.snapshot().front();
  std::shared_ptr<Client> found = table.find(1);
  check("erase takes it out", table.erase(1));
  check("it lives while the one from find holds it", !alive.expired() && found.use_count() == 1);
  found.reset();
  check("then it dies", alive.expired());
  STEP("one is erased that asks the table when it is destroyed: it dies without a lock");
  std::size_t left = 0;
  auto asking = std::make_shared<Asking>(table, left);
  check("insert takes it", table.insert(asking));
  const ClientId last = asking->id;
  asking.reset();
  Background("erase of a client that asks the table in its destructor", [&] { table.erase(last); }).finish();
  check_equal("the size that it was told", left, table.size());
}

// Calls a function of a table until it gets all the memory that it asks for. First it gets no block, then one, and so
// on. Whatever it does then, another thread can use the table.
void run_out_of_memory(const char* what, const std::function<void(ClientTable&)>& function) {
  for (int blocks = 0; blocks < 100; ++blocks) {
    ClientTable table(5);
    for (int i = 0; i < 3; ++i) inserted(table);
    blocks_left = blocks;
    try {
      function(table);
    } catch (const std::bad_alloc&) {
    }
    const bool had_enough = blocks_left >= 0;
    blocks_left = -1;
    Background(std::string("the use of a table when ") + what + " had no memory", [&] { table.size(); }).finish();
    if (had_enough) return;
  }
  fail(std::string("expected that ") + what + " needs fewer than 100 blocks of memory");
}

LAB_TEST(Lab01, SnapshotIsInTheOrderOfTheIds, "N5", kTable) {
  ClientTable table(1000);
  STEP("200 clients come, and every third leaves");
  std::vector<ClientId> expected;
  std::vector<ClientId> leaving;
  for (int i = 0; i < 200; ++i) (i % 3 == 1 ? leaving : expected).push_back(inserted(table)->id);
  for (const ClientId id : leaving) check("erase takes it out", table.erase(id));
  for (int i = 0; i < 20; ++i) expected.push_back(inserted(table)->id);
  STEP("a snapshot is taken");
  const auto snapshot = table.snapshot();
  check_equal("the ids in the snapshot", ids_of(snapshot), expected);
  STEP("everybody leaves; the snapshot is still what it was");
  for (const ClientId id : expected) check("erase takes it out", table.erase(id));
  check_equal("the ids in the snapshot", ids_of(snapshot), expected);
  check_equal("the size of a new snapshot", table.snapshot().size(), 0);
  STEP("insert, find, snapshot and erase find no memory: they may throw std::bad_alloc, but leave no lock behind");
  const auto mine = std::make_shared<Client>();
  run_out_of_memory("insert", [&](ClientTable& small) { small.insert(mine); });
  run_out_of_memory("find", [](ClientTable& small) { small.find(2); });
  run_out_of_memory("snapshot", [](ClientTable& small) { small.snapshot(); });
  run_out_of_memory("erase", [](ClientTable& small) { small.erase(2); });
}

// Two threads call the table's functions in turns, every pair of them in both orders. Nothing but the table itself puts
// them in order, for the turns are relaxed: so ThreadSanitizer sees each access that the table does not protect, on every
// run, and before anything breaks.
void take_turns(ClientTable& table) {
  constexpr int kFunctions = 5;
  constexpr int kTurns = 2 * kFunctions * kFunctions;
  std::vector<std::shared_ptr<Client>> clients[3];  // of each thread, and some that stay
  for (auto& some : clients) {
    for (int i = 0; i < kTurns; ++i) some.push_back(inserted(table));
  }
  const ClientId stays = clients[2].front()->id;
  const auto call = [&](int function, std::vector<std::shared_ptr<Client>>& mine) {
    switch (function) {
      case 0:
        mine.push_back(std::make_shared<Client>());
        check("insert takes the client", table.insert(mine.back()));
        break;
      case 1:
        check("erase takes it out", table.erase(mine.back()->id));
        mine.pop_back();
        break;
      case 2: check("find gives a client that stays", table.find(stays) != nullptr); break;
      case 3: check("the size counts those who stay", table.size() >= kTurns); break;
      default: check("a snapshot has those who stay", table.snapshot().size() >= kTurns);
    }
  };
  std::atomic<int> turn{0};
  on_threads("a thread that uses the table", 2, [&](unsigned n) {
    struct Leave {
      std::atomic<int>& turn;
      ~Leave() {  // after a failed check: nobody waits
        if (std::uncaught_exceptions() > 0) turn.store(kTurns, std::memory_order_relaxed);
      }
    };
    Leave leave{turn};
    for (int mine = static_cast<int>(n); mine < kTurns; mine += 2) {
      while (turn.load(std::memory_order_relaxed) < mine) std::this_thread::yield();
      if (turn.load(std::memory_order_relaxed) != mine) return;
      const int pair = mine / 2;
      call(n == 0 ? pair / kFunctions : pair % kFunctions, clients[n]);
      if (mine + 1 < kTurns) turn.store(mine + 1, std::memory_order_relaxed);
    }
  });
  for (const auto& client : table.snapshot()) table.erase(client->id);
}

// What two threads may do to a table at the same time. One of them stands still after each of its instructions in turn.
struct TwoAtTheTable {
  explicit TwoAtTheTable(std::size_t max_clients, std::size_t clients) : max_clients(max_clients), count(clients) {}

  void prepare() {
    table.emplace(max_clients);
    inside.clear();
    for (std::size_t i = 0; i < count; ++i) inside.push_back(inserted(*table));
    mine = std::make_shared<Client>();
    theirs = std::make_shared<Client>();
    one_took = other_took = false;
    seen.clear();
  }
  void play(const char* one_does, const char* other_does, std::function<void()> one, std::function<void()> other,
            const std::function<void()>& look) {
    at_each_instruction({one_does, other_does, [this] { prepare(); }, std::move(one), std::move(other), [&] {
                           look();
                           look_at_all();
                         }});
  }
  // size, snapshot and find tell the same, and nobody has another one's id.
  void look_at_all() {
    const auto now = table->snapshot();
    check_equal("the size of the table", table->size(), now.size());
    check("it is not overfull", now.size() <= max_clients);
    const auto ids = ids_of(now);
    check("the snapshot is in the order of the ids, and no id is there twice",
          std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end());
    for (const auto& client : now) check("find gives who is in the snapshot", table->find(client->id) == client);
  }
  bool has(const std::shared_ptr<Client>& client) const { return client->id != 0 && table->find(client->id) == client; }

  // Two threads insert; there is room for one more, or for two.
  void insert_and_insert() {
    const std::size_t room = max_clients - count;
    play("insert", "insert", [this] { one_took = table->insert(mine); }, [this] { other_took = table->insert(theirs); }, [&] {
      check_equal("how many of the two clients were taken", one_took + other_took, room);
      check_equal("the size of the table", table->size(), max_clients);
      check("find gives who was taken, and nobody else", has(mine) == one_took && has(theirs) == other_took);
      check("a refused client has no id", one_took || mine->id == 0);
    });
  }
  // An id that a refused client did not get must not be taken back when later ones have been given.
  void check_the_next_id() {
    const ClientId last = table->snapshot().back()->id;
    check("erase takes out the first one", table->erase(table->snapshot().front()->id));
    const ClientId next = inserted(*table)->id;
    check("the next client gets a new id, above " + to_text(last) + "; it got " + to_text(next), next > last);
  }
  // In a full table, one is refused, or gets the place of one who leaves. The other one takes a client out and puts the next
  // one in: of the two, one gets in.
  void insert_in_vain() {
    const auto insert = [this] { one_took = table->insert(mine); };
    const auto erase_and_insert = [this] {
      check("erase takes it out", table->erase(inside[0]->id));
      other_took = table->insert(theirs);
    };
    const auto look = [this] {
      check_equal("how many of the two got the place that was made", one_took + other_took, 1);
      check_equal("the size of the table", table->size(), max_clients);
      check_the_next_id();
    };
    play("insert in a full table", "erase and insert", insert, erase_and_insert, look);
    play("erase and insert", "insert in a full table", erase_and_insert, insert, look);
    std::size_t most = 0;
    play("insert in a full table", "size and snapshot", [this] { one_took = table->insert(mine); }, [&] {
      most = table->size();
      seen = table->snapshot();
    }, [&] {
      check("it is refused", !one_took);
      check_equal("the size of the table while it was refused", most, max_clients);
      check_equal("how many clients snapshot gave meanwhile", seen.size(), max_clients);
    });
  }
  void erase_and_erase() {
    play("erase", "erase of the same client", [this] { one_took = table->erase(inside[1]->id); },
         [this] { other_took = table->erase(inside[1]->id); }, [this] {
           check_equal("how many of the two calls returned true", one_took + other_took, 1);
           check_equal("the size of the table", table->size(), count - 1);
         });
  }
  void erase_and_insert() {
    play("erase", "insert", [this] { one_took = table->erase(inside[0]->id); }, [this] { other_took = table->insert(theirs); }, [this] {
      check("erase took it out, and insert took the other one", one_took && other_took);
      check_equal("the size of the table", table->size(), count);
      check("who was inserted can be found", has(theirs));
      for (std::size_t i = 1; i < count; ++i) check("who stays can be found", has(inside[i]));
    });
  }
  // One looks; the other one takes a client out, and puts two in.
  void look_meanwhile() {
    const auto change = [this] {
      other_took = table->erase(inside[0]->id);
      check("insert takes both", table->insert(theirs) && table->insert(mine));
    };
    std::size_t most = 0;
    play("insert", "snapshot, size and find", [this] { one_took = table->insert(mine); }, [&] {
      most = table->size();
      seen = table->snapshot();
      for (const auto& client : seen) check("who is in a snapshot has its id, and find gives it", has(client));
    }, [&] {
      check("insert takes the client", one_took);
      check("the size was one that the table had: " + to_text(most), most == count || most == count + 1);
      check("the snapshot had no more", seen.size() <= count + 1);
    });
    play("snapshot", "erase and insert", [this] { seen = table->snapshot(); }, change, [this] {
      const auto ids = ids_of(seen);
      check("a snapshot is in the order of the ids while others come and go", std::is_sorted(ids.begin(), ids.end()));
      for (std::size_t i = 1; i < count; ++i) {
        check("it has those who stay", std::find(seen.begin(), seen.end(), inside[i]) != seen.end());
      }
      check("it has no more than were there", seen.size() <= count + 1);
    });
    play("snapshot", "insert and erase", [this] { seen = table->snapshot(); }, [this] {
      other_took = table->insert(theirs) && table->erase(inside[0]->id);
    }, [this] { check("a snapshot has no fewer clients than the table ever had", seen.size() >= count); });
    play("find", "erase and insert", [this] { seen = {table->find(inside[0]->id), table->find(inside[1]->id)}; }, change, [this] {
      check("find gives the client or null", seen[0] == nullptr || seen[0] == inside[0]);
      check("find gives a client that stays", seen[1] == inside[1]);
    });
    std::size_t size = 0;
    play("size", "erase and insert", [this, &size] { size = table->size(); }, change,
         [&] { check("size is one that the table had: " + to_text(size), size + 1 >= count && size <= count + 1); });
    play("size", "insert and erase", [this, &size] { size = table->size(); }, [this] {
      other_took = table->insert(theirs) && table->erase(inside[0]->id);
    }, [&] { check("size is one that the table had: " + to_text(size), size == count || size == count + 1); });
  }

  const std::size_t max_clients;
  const std::size_t count;  // of the clients that are in it at the beginning
  std::optional<ClientTable> table;
  std::vector<std::shared_ptr<Client>> inside, seen;
  std::shared_ptr<Client> mine, theirs;
  bool one_took = false, other_took = false;
};

LAB_TEST(Lab01, FourThreadsShareTheTable, "N5", kTable) {
  constexpr unsigned kThreads = 4;
  const int each = slowness() > 1 ? 250 : 1000;  // a table that copies itself at each change needs each * each steps
  ClientTable table(100000);
  STEP("two threads take turns: each function of the table, then each other one");
  take_turns(table);
  check_equal("the size of the table when all have left", table.size(), 0);
  STEP("a thread stands still in erase, and another one erases the same client, or inserts");
  TwoAtTheTable(3, 3).erase_and_erase();
  TwoAtTheTable(4, 3).erase_and_insert();
  STEP("a thread stands still while it looks at the table, and others come and go");
  TwoAtTheTable(5, 3).look_meanwhile();
  STEP("four threads insert clients at the same time");
  std::vector<std::vector<ClientId>> given(kThreads);
  on_threads("a thread that inserts", kThreads, [&](unsigned n) {
    for (int i = 0; i < each; ++i) given[n].push_back(inserted(table)->id);
  });
  std::set<ClientId> ids;
  for (const auto& some : given) {
    check("each thread sees its ids go up", std::is_sorted(some.begin(), some.end()));
    ids.insert(some.begin(), some.end());
  }
  check_equal("how many different ids were given", ids.size(), kThreads * each);
  check_equal("the size of the table", table.size(), kThreads * each);

  STEP("all four erase the same clients, and take snapshots meanwhile");
  std::atomic<int> erased{0};
  on_threads("a thread that erases", kThreads, [&](unsigned) {
    int i = 0;
    for (const ClientId id : ids) {
      if (table.erase(id)) ++erased;
      if (++i % 200 == 0) {
        const auto now = ids_of(table.snapshot());
        check("a snapshot is ordered while others erase", std::is_sorted(now.begin(), now.end()));
      }
    }
  });
  check_equal("how many erase calls returned true", erased.load(), kThreads * each);
  check_equal("the size of the table", table.size(), 0);

  STEP("all four insert, look up, take snapshots and erase, for a while, among 1000 clients that stay");
  for (int i = 0; i < 1000; ++i) inserted(table);
  const Crowd crowd(0.4);
  on_threads("a thread that inserts and erases", kThreads, [&](unsigned) {
    while (crowd.goes_on()) {
      std::vector<std::shared_ptr<Client>> clients;
      for (int i = 0; i < 16; ++i) clients.push_back(inserted(table));
      for (const auto& client : clients) {
        check("find gives the client that was inserted", table.find(client->id) == client);
      }
      const auto now = ids_of(table.snapshot());
      check("a snapshot is ordered while others insert", std::is_sorted(now.begin(), now.end()));
      check("a snapshot has those who stay", now.size() >= 1000 + 16);
      check("the size counts those who stay", table.size() >= 1000 + 16);
      for (const auto& client : clients) check("erase takes it out", table.erase(client->id));
    }
  });
  check_equal("the size of the table", table.size(), 1000);
}

LAB_TEST(Lab01, FourThreadsNeverOverfillTheTable, "N5", kTable) {
  STEP("a thread stands still in insert, and another one inserts; there is room for one");
  TwoAtTheTable(1, 0).insert_and_insert();
  TwoAtTheTable(3, 2).insert_and_insert();
  STEP("there is room for both");
  TwoAtTheTable(2, 0).insert_and_insert();
  TwoAtTheTable(4, 2).insert_and_insert();
  STEP("there is room for none, but the other one makes some for itself");
  TwoAtTheTable(1, 1).insert_in_vain();
  TwoAtTheTable(3, 3).insert_in_vain();
  STEP("four threads insert and erase, in a table for one client");
  ClientTable table(1);
  const Crowd crowd(0.4);
  on_threads("a thread that inserts and erases", 4, [&](unsigned) {
    const auto client = std::make_shared<Client>();
    int count = 0;
    while (crowd.goes_on()) {
      for (int i = 0; i < 64; ++i) {
        client->id = 0;
        if (!table.insert(client)) continue;
        if (++count % 4 == 0) std::this_thread::yield();
        check_equal("the size of the table", table.size(), 1);
        check("erase takes it out", table.erase(client->id));
      }
    }
  });
  check_equal("the size of the table", table.size(), 0);
}

// --- The listening socket --------------------------------------------------------------------------------------------

// What the system says about a socket's own end, in network order.
sockaddr_in name_of(const lab::UniqueSocket& socket) {
  sockaddr_in name{};
  int size = sizeof name;
  check("the socket is bound", ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return name;
}

// The error that a call throws; fails the test when it throws none.
template <class Call>
std::system_error error_of(const std::string& what, Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error;
  }
  fail("expected that " + what + " throws std::system_error, but it returned");
}

void check_names(const std::system_error& error, const std::string& call) {
  check("the error names the call " + call + ", not: " + error.what(),
        std::string(error.what()).find(call) != std::string::npos);
}

// Wine, and Windows in some cases, call an exclusive port "forbidden".
bool is_port_in_use(int code) { return code == WSAEADDRINUSE || code == WSAEACCES; }

LAB_TEST(Lab01, TheListenerTakesClients, "N2", kListener) {
  STEP("listeners are opened on port 0");
  std::vector<lab::UniqueSocket> listeners;
  for (int i = 0; i < 4; ++i) {
    listeners.push_back(lab::open_listener(0));
    const sockaddr_in name = name_of(listeners.back());
    check_equal("the result of bound_port", lab::bound_port(listeners.back()), ntohs(name.sin_port));
    check_equal("the local address (0 is every address)", ntohl(name.sin_addr.s_addr), 0u);
    check("the backlog is SOMAXCONN, not " + std::to_string(backlog_of_last_listener()), backlog_of_last_listener() == SOMAXCONN);
  }
  const lab::UniqueSocket& listener = listeners.front();
  STEP("nobody else may listen on its port");
  int exclusive = 0;
  int size = sizeof exclusive;
  ::getsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<char*>(&exclusive), &size);
  check("SO_EXCLUSIVEADDRUSE is set", exclusive != 0);
  STEP("100 clients connect before anybody calls accept");
  const auto clients = connect_many(lab::bound_port(listener), 100);
  STEP("a listener is opened on a port that is free again");
  for (int i = 0; i < 3; ++i) {
    const std::uint16_t port = lab::bound_port(listeners.back());
    listeners.pop_back();
    try {
      const lab::UniqueSocket again = lab::open_listener(port);
      check_equal("its port", ntohs(name_of(again).sin_port), port);
    } catch (const std::system_error& error) {
      if (!is_port_in_use(error.code().value())) throw;  // some other program was faster
    }
  }
}

LAB_TEST(Lab01, SetupErrorsNameTheCall, "N2", kListener) {
  const lab::UniqueSocket first = lab::open_listener(0);
  const std::uint16_t port = lab::bound_port(first);
  STEP("a second listener is opened on the same port");
  const std::size_t before = open_handles();
  for (int i = 0; i < 20; ++i) {
    const std::system_error error = error_of("open_listener on a port in use", [&] { lab::open_listener(port); });
    check("the code is that of a port in use, not " + std::to_string(error.code().value()),
          is_port_in_use(error.code().value()));
    check_names(error, "bind");
  }
  STEP("that was done 20 times, and no socket may be left open");
  check("open_listener closes its socket when it fails", open_handles() < before + 10);
  STEP("the first listener still takes clients");
  TestClient client(port);
  STEP("bound_port is asked about a socket that is closed");
  const std::system_error error = error_of("bound_port of a closed socket", [] { lab::bound_port(lab::UniqueSocket()); });
  check_equal("the code of the error", error.code().value(), WSAENOTSOCK);
  check_names(error, "getsockname");
}

LAB_TEST(Lab01, SetupCallsThatFail, "N2", kListener) {
  struct Setup {
    const char* name;
    std::vector<Call> calls;
    int error;
  };
  const std::vector<Setup> setups = {{"socket", {Call::socket, Call::WSASocketW}, WSAENOBUFS},
                                     {"setsockopt", {Call::setsockopt}, WSAENOPROTOOPT},
                                     {"bind", {Call::bind}, WSAENETDOWN},
                                     {"listen", {Call::listen}, WSAEMFILE}};
  for (const Setup& setup : setups) {
    STEP(std::string(setup.name) + " fails with " + std::to_string(setup.error));
    const std::size_t opened = count_of(Call::socket) + count_of(Call::WSASocketW);
    const std::size_t closed = count_of(Call::closesocket);
    {
      Faults script;
      for (const Call call : setup.calls) script.fail(call, setup.error);
      const std::system_error error = error_of("open_listener", [] { lab::open_listener(0); });
      check_equal("the code of the error", error.code().value(), setup.error);
      check_names(error, setup.name);
    }
    const std::size_t made = setup.calls.size() > 1 ? 0 : count_of(Call::socket) + count_of(Call::WSASocketW) - opened;
    check_equal("how many sockets were closed", count_of(Call::closesocket) - closed, made);
  }
  STEP("getsockname fails with 10050");
  const lab::UniqueSocket listener = lab::open_listener(0);
  Faults faults;
  faults.fail(Call::getsockname, WSAENETDOWN);
  const std::system_error error = error_of("bound_port", [&] { lab::bound_port(listener); });
  check_equal("the code of the error", error.code().value(), WSAENETDOWN);
  check_names(error, "getsockname");
  STEP("the listener is none the worse");
  TestClient client(lab::bound_port(listener));
}

// --- The accept loop -------------------------------------------------------------------------------------------------

// What the loop has told. Any thread may look.
class Events : public lab::AcceptEvents {
 public:
  explicit Events(ClientTable& table) : table_(table) {}

  std::shared_ptr<Client> make_client() override {
    const auto client = std::make_shared<SpecialClient>();
    look_at_thread("make_client");
    std::lock_guard lock(mutex_);
    ++made_;
    if (cannot_make_) throw CannotMake();
    if (keeps_all_) all_.push_back(client);
    return client;
  }

  void on_client(const std::shared_ptr<Client>& client) override {
    look_at_thread("on_client");
    std::unique_lock lock(mutex_);
    clients_.push_back(client);
    if (!client || client->id == 0 || table_.find(client->id) != client) problem_ = "it was not in the table";
    else if (!client->socket.valid()) problem_ = "it had no socket";
    else if (client->peer.ip.empty() || client->peer.port == 0) problem_ = "it had no peer address";
    changed_.wait_for(lock, patience(), [this] { return !held_; });
  }
  void on_refused(const lab::PeerAddress& peer) override {
    look_at_thread("on_refused");
    std::lock_guard lock(mutex_);
    refused_.push_back(peer);
    if (cannot_refuse_) throw CannotRefuse();
  }
  void on_error(int error) override {
    look_at_thread("on_error");
    std::lock_guard lock(mutex_);
    if (errors_[error]++ == 0) first_[error] = Clock::now();
    last_[error] = Clock::now();
    if (at_error_) at_error_();
  }

  // The events must come on this thread.
  void begin_loop() {
    std::lock_guard lock(mutex_);
    thread_ = std::this_thread::get_id();
  }
  std::size_t made() const {
    std::lock_guard lock(mutex_);
    return made_;
  }
  // From now on, make_client throws.
  struct CannotMake {};
  void make_none() {
    std::lock_guard lock(mutex_);
    cannot_make_ = true;
  }
  // From now on, on_refused throws.
  struct CannotRefuse {};
  void refuse_none() {
    std::lock_guard lock(mutex_);
    cannot_refuse_ = true;
  }
  // From now on, this happens in on_error.
  void at_error(std::function<void()> what) {
    std::lock_guard lock(mutex_);
    at_error_ = std::move(what);
  }
  // From now on, while an event goes on, another thread uses the table.
  void use_table_meanwhile() {
    std::lock_guard lock(mutex_);
    uses_table_ = true;
  }

  std::size_t count() const {
    std::lock_guard lock(mutex_);
    return clients_.size();
  }
  std::size_t refused_count() const {
    std::lock_guard lock(mutex_);
    return refused_.size();
  }
  std::vector<std::shared_ptr<Client>> clients() const {
    std::lock_guard lock(mutex_);
    return clients_;
  }
  std::vector<lab::PeerAddress> refused() const {
    std::lock_guard lock(mutex_);
    return refused_;
  }
  std::size_t all_errors() const {
    std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [error, count] : errors_) sum += count;
    return sum;
  }
  std::size_t errors(int error) const {
    std::lock_guard lock(mutex_);
    const auto found = errors_.find(error);
    return found == errors_.end() ? 0 : found->second;
  }
  Clock::duration between_first_and_last(int error) const {
    std::lock_guard lock(mutex_);
    return last_.at(error) - first_.at(error);
  }
  // What was wrong with an event, or with a client at the time of on_client.
  std::string problem() const {
    std::lock_guard lock(mutex_);
    return problem_;
  }
  // From now on, and until let_clients_go, on_client does not return.
  void hold_clients() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_clients_go() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // From now on it holds a reference to each client that it makes, also to those that are refused.
  void keep_all() {
    std::lock_guard lock(mutex_);
    keeps_all_ = true;
  }
  // Whether it is the only one who holds the clients of keep_all that were refused.
  bool holds_refused_alone() const {
    std::lock_guard lock(mutex_);
    return std::all_of(all_.begin(), all_.end(), [](const auto& client) { return client->id != 0 || client.use_count() == 1; });
  }
  void forget_clients() {
    std::lock_guard lock(mutex_);
    clients_.clear();
  }

 private:
  void look_at_thread(const char* event) {
    bool uses = false;
    {
      std::lock_guard lock(mutex_);
      if (thread_ != std::thread::id() && thread_ != std::this_thread::get_id()) problem_ = std::string(event) + " came on another thread";
      uses = uses_table_;
    }
    if (!uses) return;
    Background("another thread uses the table during " + std::string(event), [this] { table_.find(1); }).finish();
  }

  ClientTable& table_;
  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable changed_;
  std::thread::id thread_;
  std::function<void()> at_error_;
  std::size_t made_ = 0;
  bool uses_table_ = false;
  bool cannot_make_ = false;
  bool cannot_refuse_ = false;
  bool held_ = false;
  bool keeps_all_ = false;
  std::vector<std::shared_ptr<Client>> clients_;
  std::vector<std::shared_ptr<Client>> all_;
  std::vector<lab::PeerAddress> refused_;
  std::map<int, std::size_t> errors_;
  std::map<int, Clock::time_point> first_;
  std::map<int, Clock::time_point> last_;
  std::string problem_;
};

// accept_loop on a thread, with a table and a listener of its own. Ended at the latest by the destructor.
class Accepting {
 public:
  explicit Accepting(std::size_t max_clients, lab::UniqueSocket listening = lab::open_listener(0))
      : listener(std::move(listening)), port(ntohs(name_of(listener).sin_port)), table(max_clients), events(table),
        loop("accept_loop", [this] {
          events.begin_loop();
          lab::accept_loop(listener, stopping, table, events);
        }) {}
  ~Accepting() {
    events.let_clients_go();
    tell_to_stop();
  }

  void tell_to_stop() {
    stopping = true;
    listener.close();
  }
  void stop() {
    tell_to_stop();
    loop.finish();
  }
  // Like check_eventually, and says so when the loop has ended meanwhile.
  template <class Condition>
  void wait_until(const std::string& what, Condition condition) {
    check_eventually(what, [&] { return condition() || loop.finished(); });
    if (condition()) return;
    loop.finish();  // throws what ended it
    fail("expected that accept_loop goes on until it is told to stop, but it has returned");
  }
  void wait_for_clients(std::size_t count) {
    wait_until("on_client has been called for " + std::to_string(count) + " clients",
               [&] { return events.count() >= count; });
  }
  void wait_for_refused(std::size_t count) {
    wait_until("on_refused has been called for " + std::to_string(count) + " clients",
               [&] { return events.refused_count() >= count; });
  }

  lab::UniqueSocket listener;
  const std::uint16_t port;
  ClientTable table;
  Events events;
  std::atomic<bool> stopping{false};
  Background loop;  // last: it uses the others
};

// The client that the loop made for this peer.
std::shared_ptr<Client> client_of(const Events& events, const TestClient& peer) {
  const std::uint16_t port = peer.local_port();
  for (const auto& client : events.clients()) {
    if (client->peer.port == port) return client;
  }
  std::string ports;
  for (const auto& client : events.clients()) ports += " " + std::to_string(client->peer.port);
  fail("expected a client with the peer port " + std::to_string(port) + ", but the ports were" + ports);
}

void check_no_problem(const Events& events) {
  if (!events.problem().empty()) fail("expected each event on the thread of the loop, and a complete client in on_client, but " + events.problem());
}

// The loop takes one client, and stands still after each of its instructions in turn. Meanwhile another thread looks at the
// table, takes the client out, and runs a loop of its own.
void stand_still_in_the_loop() {
  struct OneClient : lab::AcceptEvents {
    explicit OneClient(lab::UniqueSocket& listening) : listener(listening) {}
    void on_client(const std::shared_ptr<Client>& client) override {
      stand_still_no_more();  // what follows is the end of the loop
      came = client;
      end_loop();
    }
    void on_refused(const lab::PeerAddress&) override { end_loop(); }
    void on_error(int) override {}
    void end_loop() {
      stopping = true;
      listener.close();
    }
    lab::UniqueSocket& listener;
    std::shared_ptr<Client> came;
    std::atomic<bool> stopping{false};
  };
  struct Door {
    void prepare(const char* from) {
      listener = lab::open_listener(0);
      table.emplace(1);
      events.emplace(listener);
      peer.emplace(ntohs(name_of(listener).sin_port), from);
    }
    void look() {
      check("on_client got a client", events->came != nullptr && events->came->id == 1);
      check_equal("the peer's port", events->came->peer.port, peer->local_port());
      check("its socket is open", events->came->socket.valid() && peer->look() == End::none);
      peer->abort();
    }
    void run() { lab::accept_loop(listener, events->stopping, *table, *events); }
    lab::UniqueSocket listener;
    std::optional<ClientTable> table;
    std::optional<OneClient> events;
    std::optional<TestClient> peer;
  };
  Door one, other;
  at_each_instruction({"accept_loop", "a look at the table, erase, and an accept_loop of its own", [&] {
                         one.prepare(nullptr);
                         other.prepare("127.100.100.100");
                       },
                       [&] { one.run(); }, [&] {
                         for (const auto& client : one.table->snapshot()) {
                           check("who is in the table has its socket and its peer",
                                 client->socket.valid() && client->peer.port != 0 && !client->peer.ip.empty());
                           one.table->erase(client->id);
                         }
                         other.run();
                       },
                       [&] {
                         one.look();
                         other.look();
                         check_equal("the first peer's address", one.events->came->peer.ip, std::string("127.0.0.1"));
                         check_equal("the second peer's address", other.events->came->peer.ip, std::string("127.100.100.100"));
                       }});
}

LAB_TEST(Lab01, AnAcceptedClientIsInTheTable, "N2", kLoop) {
  Accepting server(10);
  STEP("five clients connect, one after the other; the second one from the address 127.100.100.100");
  const auto address_of = [](std::size_t i) { return i == 1 ? "127.100.100.100" : "127.0.0.1"; };
  const auto nth_client = [&](std::size_t i) { return server.events.clients().at(i); };  // two addresses can have the same port
  std::vector<TestClient> peers;
  for (std::size_t i = 0; i < 5; ++i) {
    peers.emplace_back(server.port, address_of(i));
    server.wait_for_clients(i + 1);
  }
  check_no_problem(server.events);
  check_equal("the size of the table", server.table.size(), 5);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto client = nth_client(i);
    check_equal("the peer's address", client->peer.ip, std::string(address_of(i)));
    check_equal("the peer's port", client->peer.port, peers[i].local_port());
    check_equal("the client's id", client->id, i + 1);
    check("it is the object of make_client", dynamic_cast<SpecialClient*>(client.get()) != nullptr);
    check("the table has the same object", server.table.find(client->id) == client);
  }
  STEP("each of the five sends its number, and the server's socket gets it");
  for (std::size_t i = 0; i < 5; ++i) {
    peers[i].send(std::to_string(i));
    const auto client = nth_client(i);
    char byte = 0;
    check("recv gives one byte", ::recv(client->socket.get(), &byte, 1, 0) == 1);
    check_equal("the byte", byte, static_cast<char>('0' + i));
  }
  STEP("the server lets go of all of them, and each peer sees an orderly close");
  for (const auto& client : server.events.clients()) check("erase takes it out", server.table.erase(client->id));
  server.events.forget_clients();
  for (TestClient& peer : peers) check("the close is orderly", peer.expect_closed() == End::eof);
  server.stop();
  check_equal("how often make_client was called", server.events.made(), 5);
  STEP("the loop stands still while it takes a client; another thread looks at the table, and takes a client with another loop");
  stand_still_in_the_loop();
}

LAB_TEST(Lab01, TwoHundredClientsAtOnce, "N2", kLoop) {
  Accepting server(200);
  STEP("200 clients connect at the same time");
  const auto peers = connect_many(server.port, 200);
  server.wait_for_clients(200);
  check_no_problem(server.events);
  check_equal("the size of the table", server.table.size(), 200);
  std::set<ClientId> ids;
  for (const TestClient& peer : peers) ids.insert(client_of(server.events, peer)->id);
  check_equal("how many different ids the peers have", ids.size(), 200);
  server.stop();
  check_equal("how often on_client was called", server.events.count(), 200);
  check_equal("how often on_refused was called", server.events.refused_count(), 0);
  STEP("1200 clients come and leave, a hundred at a time: the loop has no number of clients at which it ends");
  Accepting small(100);
  for (ClientId last = 100; last <= 1200; last += 100) {
    const auto some = connect_many(small.port, 100);
    small.wait_for_clients(100);
    for (ClientId id = last - 99; id <= last; ++id) check("erase takes it out", small.table.erase(id));
    small.events.forget_clients();
  }
  small.stop();
  check_equal("how often on_refused was called", small.events.refused_count(), 0);
}

LAB_TEST(Lab01, ARefusedClientIsClosed, "N2", kLoop) {
  Accepting server(2);
  server.events.use_table_meanwhile();
  STEP("two clients fill the table; while an event goes on, another thread uses the table");
  TestClient first(server.port);
  server.wait_for_clients(1);
  TestClient second(server.port);
  server.wait_for_clients(2);
  STEP("ten more come, one after the other; from the fifth on, the server holds the object of a refused client");
  std::vector<TestClient> more;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == 4) server.events.keep_all();
    more.emplace_back(server.port);
    more.back().expect_closed();
    server.wait_for_refused(i + 1);
    const lab::PeerAddress peer = server.events.refused().back();
    check_equal("the refused peer's address", peer.ip, std::string("127.0.0.1"));
    check_equal("the refused peer's port", peer.port, more.back().local_port());
  }
  STEP("290 more come: the loop has no number of refusals at which it ends");
  for (std::size_t i = 10; i < 300; ++i) {
    TestClient(server.port).expect_closed();
    server.wait_for_refused(i + 1);
  }
  STEP("the first two are still there");
  check_equal("the size of the table", server.table.size(), 2);
  check("both are connected", first.look() == End::none && second.look() == End::none);
  STEP("the first one leaves, and another comes");
  check("erase takes it out", server.table.erase(client_of(server.events, first)->id));
  TestClient late(server.port);
  server.wait_for_clients(3);
  check("the new one is connected", late.look() == End::none);
  server.stop();
  check_no_problem(server.events);
  check_equal("how often on_client was called", server.events.count(), 3);
  check_equal("how often on_refused was called", server.events.refused_count(), 300);
  check_equal("how often make_client was called", server.events.made(), 303);
  check("nobody else holds a refused client", server.events.holds_refused_alone());
  check_equal("the id of the last client; a refusal uses up none", client_of(server.events, late)->id, 3);
}

// Whether the loop has served or refused the client with this port.
bool is_served(const Events& events, std::uint16_t peer) {
  const auto clients = events.clients();
  return std::any_of(clients.begin(), clients.end(), [&](const auto& client) { return client->peer.port == peer; });
}
bool is_refused(const Events& events, std::uint16_t peer) {
  const auto refused = events.refused();
  return std::any_of(refused.begin(), refused.end(), [&](const auto& address) { return address.port == peer; });
}

// A few milliseconds, each time: forty times a third of a second, or a pause that grows, is a server that is away.
static void check_pauses_are_short() {
  STEP("accept fails with WSAEMFILE (10024) forty times, while a client waits");
  Accepting server(10);
  Faults faults;
  faults.fail(Call::accept, WSAEMFILE, 40);
  TestClient first(server.port), second(server.port);
  server.wait_until("both are accepted", [&] { return server.events.count() == 2; });
  check_equal("how often on_error told of 10024", server.events.errors(WSAEMFILE), 40);
  server.stop();
}

LAB_TEST(Lab01, AnAcceptErrorDoesNotEndTheLoop, "N2", kLoop) {
  STEP("five clients connect and reset before the loop runs, and one stays");
  lab::UniqueSocket listening = lab::open_listener(0);
  const std::uint16_t port = ntohs(name_of(listening).sin_port);
  for (int i = 0; i < 5; ++i) TestClient(port).abort();
  TestClient patient(port);
  STEP("the listener is made non-blocking: accept fails with WSAEWOULDBLOCK (10035) while nobody waits");
  u_long on = 1;
  check("ioctlsocket succeeds", ::ioctlsocket(listening.get(), FIONBIO, &on) == 0);
  Accepting server(100, std::move(listening));
  server.wait_until("the client that stayed is accepted", [&] { return is_served(server.events, patient.local_port()); });
  server.wait_until("on_error tells of 10035", [&] { return server.events.errors(WSAEWOULDBLOCK) > 3; });
  STEP("another client connects");
  TestClient next(server.port);
  server.wait_until("it is accepted", [&] { return is_served(server.events, next.local_port()); });

  if (NoMoreHandles::works) {
    STEP("the process runs out of sockets while a client waits: WSAEMFILE (10024)");
    lab::UniqueSocket late(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));  // its own socket it has already
    {
      const NoMoreHandles nothing;
      // The accept that is under way may have its handle already: the client comes after it.
      const std::size_t so_far = server.events.errors(WSAEWOULDBLOCK);
      server.wait_until("on_error tells of 10035 again", [&] { return server.events.errors(WSAEWOULDBLOCK) >= so_far + 2; });
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(server.port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      check("connect succeeds", ::connect(late.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
      server.wait_until("on_error tells of 10024, again and again",
                        [&] { return server.events.errors(WSAEMFILE) >= 5; });
    }
    STEP("there are sockets again, and the client that waited is accepted");
    server.wait_until("it is accepted", [&] { return is_served(server.events, ntohs(name_of(late).sin_port)); });
    server.stop();
    const std::size_t errors = server.events.errors(WSAEMFILE);
    const double ms = std::chrono::duration<double, std::milli>(server.events.between_first_and_last(WSAEMFILE)).count();
    check("the loop waits a few milliseconds after each WSAEMFILE; it came " + std::to_string(errors) + " times in " +
              std::to_string(static_cast<int>(ms)) + " ms",
          ms >= 0.9 * static_cast<double>(errors - 1));
  } else {
    server.stop();
  }
  check_pauses_are_short();
}

LAB_TEST(Lab01, TheLoopEndsWhenToldTo, "N2", kLoop) {
  STEP("make_client throws: that ends the loop and leaves it, and the connection is closed");
  {
    Accepting server(10);
    server.events.make_none();
    TestClient peer(server.port);
    check_eventually("accept_loop ends", [&] { return server.loop.finished(); });
    bool thrown = false;
    try {
      server.loop.finish();
    } catch (const Events::CannotMake&) {
      thrown = true;
    }
    check("accept_loop throws what make_client threw", thrown);
    peer.expect_closed();
    check_equal("the clients in the table", server.table.size(), 0);
  }
  STEP("on_refused throws, and the server holds the object: the connection is closed all the same");
  {
    Accepting server(0);
    server.events.keep_all();
    server.events.refuse_none();
    TestClient peer(server.port);
    check_eventually("accept_loop ends", [&] { return server.loop.finished(); });
    bool thrown = false;
    try {
      server.loop.finish();
    } catch (const Events::CannotRefuse&) {
      thrown = true;
    }
    check("accept_loop throws what on_refused threw", thrown);
    peer.expect_closed();
  }
  STEP("it is told to stop while it waits for a client");
  {
    Accepting server(10);
    TestClient peer(server.port);
    server.wait_for_clients(1);
    server.stop();
    check_equal("how often on_error was called; the loop does not go on now", server.events.all_errors(), 0);
    check_equal("the clients in the table", server.table.size(), 1);
    check("a client that was served stays connected", peer.look() == End::none);
  }
  STEP("it is told to stop before it runs");
  {
    ClientTable table(10);
    Events events(table);
    const lab::UniqueSocket closed;
    const std::atomic<bool> stopping{true};
    lab::accept_loop(closed, stopping, table, events);
  }
  STEP("it is told to stop while it is in on_client, and another client waits");
  {
    Accepting server(10);
    server.events.hold_clients();
    TestClient first(server.port);
    server.wait_for_clients(1);
    TestClient second(server.port);
    server.stopping = true;
    server.events.let_clients_go();
    eventually([&] { return server.loop.finished() || server.events.count() > 1; }, std::chrono::seconds(1));
    server.stop();
    check_equal("how often on_client was called", server.events.count(), 1);
    check_equal("the clients in the table", server.table.size(), 1);
  }
  STEP("it is told to stop in the moment in which accept takes a client");
  {
    Faults faults;
    Accepting server(10);
    faults.meanwhile(Call::accept, [&] { server.stopping = true; });
    TestClient late(server.port);
    check_eventually("the connection is closed", [&] { return late.look() != End::none; });
    check_eventually("accept_loop ends", [&] { return server.loop.finished(); });
    server.stop();
    check_equal("how often on_client or on_refused was called", server.events.count() + server.events.refused_count(), 0);
    check_equal("how often make_client was called: the loop calls nothing now", server.events.made(), 0);
  }
  for (const int code : {WSAEMFILE, WSAECONNRESET}) {
    STEP("it is told to stop when accept has failed with " + std::to_string(code) + ", and accept would fail once more");
    ClientTable table(10);
    Events events(table);
    lab::UniqueSocket listening = lab::open_listener(0);
    std::atomic<bool> stopping{false};
    events.at_error([&] {
      stopping = true;
      listening.close();
    });
    Faults faults;
    faults.fail(Call::accept, code, 2);
    Background loop("accept_loop", [&] { lab::accept_loop(listening, stopping, table, events); });
    loop.finish();
    check_equal("how often on_error was called", events.all_errors(), 1);
  }
  STEP("it is told to stop while 20 clients come");
  for (int i = 0; i < 5; ++i) {
    Accepting server(1000);
    const auto peers = connect_many(server.port, 20);
    server.wait_for_clients(1);
    server.stop();
    check_equal("clients in the table", server.table.size(), server.events.count());
  }
}

LAB_TEST(Lab01, AListenerThatIsNoGoodIsAnError, "N2", kLoop) {
  ClientTable table(10);
  Events events(table);
  const std::atomic<bool> stopping{false};
  STEP("the loop gets a socket that is closed");
  const lab::UniqueSocket closed;
  Background first("accept_loop", [&] { lab::accept_loop(closed, stopping, table, events); });
  std::system_error error = error_of("accept_loop", [&] { first.finish(); });
  check_equal("the code of the error", error.code().value(), WSAENOTSOCK);
  check_names(error, "accept");
  STEP("the loop gets a socket that does not listen");
  const lab::UniqueSocket deaf(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  Background second("accept_loop", [&] { lab::accept_loop(deaf, stopping, table, events); });
  error = error_of("accept_loop", [&] { second.finish(); });
  check_equal("the code of the error", error.code().value(), WSAEINVAL);
  check_names(error, "accept");
  STEP("somebody closes the listener, but nobody said that the loop shall stop");
  Accepting server(10);
  TestClient peer(server.port);
  server.wait_for_clients(1);
  server.listener.close();
  error = error_of("accept_loop", [&] { server.loop.finish(); });
  check_names(error, "accept");
  STEP("the same, while the loop is in on_client");
  Accepting busy(10);
  const SOCKET old_handle = busy.listener.get();
  busy.events.hold_clients();
  TestClient held(busy.port);
  busy.wait_for_clients(1);
  const std::size_t before = count_of(Call::accept, old_handle);
  busy.listener.close();
  busy.events.let_clients_go();
  error = error_of("accept_loop", [&] { busy.loop.finish(); });
  check_equal("the code of the error", error.code().value(), WSAENOTSOCK);
  check_equal("calls of accept with the closed handle, which may be another socket's now", count_of(Call::accept, old_handle) - before, 0);
}

constexpr int kNotEnoughMemory = 8;  // of the system, not of Winsock: no list of codes is complete

LAB_TEST(Lab01, AcceptFailsInEveryWay, "N2", kLoop) {
  for (const int code : {WSAECONNRESET, WSAECONNABORTED, WSAEMFILE, WSAENOBUFS, WSAEINTR, WSAENETDOWN, WSAEFAULT,
                         WSAEACCES, WSAEINPROGRESS, WSAETIMEDOUT, kNotEnoughMemory}) {
    STEP("accept fails with " + std::to_string(code) + ": once, and later three times in a row; two clients wait");
    lab::UniqueSocket listening = lab::open_listener(0);
    const std::uint16_t port = ntohs(name_of(listening).sin_port);
    TestClient first(port);
    TestClient second(port);
    Faults faults;
    faults.fail(Call::accept, code);
    faults.fail(Call::accept, code, 3, 1);
    const std::size_t before = count_of(Call::accept);
    Accepting server(10, std::move(listening));
    server.wait_for_clients(2);
    check_no_problem(server.events);
    check("both clients are served",
          is_served(server.events, first.local_port()) && is_served(server.events, second.local_port()));
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    check_equal("how often on_error was told " + std::to_string(code), server.events.errors(code), 4);
    check_equal("how often on_error was called", server.events.all_errors(), 4);
    check_equal("how often make_client was called", server.events.made(), 2);
    check("accept is called once for each failure and for each client", count_of(Call::accept) - before <= 4 + 2 + 1);
    check("both are still connected", first.look() == End::none && second.look() == End::none);
    server.stop();
  }
  for (const int code : {WSAEMFILE, WSAENOBUFS}) {
    STEP("accept fails with " + std::to_string(code) + ", 12 times, while a client waits");
    lab::UniqueSocket listening = lab::open_listener(0);
    TestClient patient(ntohs(name_of(listening).sin_port));
    Faults faults;
    faults.fail(Call::accept, code, 12);
    Accepting server(10, std::move(listening));
    server.wait_for_clients(1);
    check_equal("how often on_error was told " + std::to_string(code), server.events.errors(code), 12);
    const double ms = std::chrono::duration<double, std::milli>(server.events.between_first_and_last(code)).count();
    check("the loop waits a few milliseconds before the next call of accept; 12 calls took " +
              std::to_string(static_cast<int>(ms)) + " ms",
          ms >= 0.9 * 11);
    server.stop();
  }
}

LAB_TEST(Lab01, FourCodesMeanADeadListener, "N2", kLoop) {
  for (const int code : {WSAENOTSOCK, WSAEINVAL, WSAEOPNOTSUPP, WSANOTINITIALISED}) {
    STEP("a client is served, then accept fails with " + std::to_string(code));
    lab::UniqueSocket listening = lab::open_listener(0);
    TestClient peer(ntohs(name_of(listening).sin_port));
    Faults faults;
    faults.fail(Call::accept, code, 1, 1);
    Accepting server(10, std::move(listening));
    check_eventually("accept_loop ends", [&] { return server.loop.finished(); });
    const std::system_error error = error_of("accept_loop", [&] { server.loop.finish(); });
    check_equal("the code of the error", error.code().value(), code);
    check_names(error, "accept");
    check_equal("how often on_error was called: the loop does not go on", server.events.all_errors(), 0);
    check_equal("how often on_client was called", server.events.count(), 1);
    check("the client is still connected", peer.look() == End::none);
  }
}

LAB_TEST(Lab01, SeedsOfComingAndGoing, "N2, N5", kLoop) {
  STEP("clients come and leave, in a table for three; the seed chooses who, when and how");
  for_each_seed(15, [](std::uint64_t seed) {
    Accepting server(3);
    const Shaker shaker(seed);
    Random random(seed);
    std::vector<TestClient> stay;
    for (int i = 0; i < 12; ++i) {
      TestClient comes(server.port);
      switch (random.below(4)) {
        case 0: comes.abort(); break;
        case 1: comes.close(); break;
        default: stay.push_back(std::move(comes));
      }
      const auto now = server.events.clients();
      if (random.below(2) == 0 && !now.empty()) server.table.erase(now[random.below(now.size())]->id);
      check("the table is never overfull", server.table.size() <= 3);
    }
    stay.emplace_back(server.port);  // the last one: when it is told of, so are all others
    for (TestClient& peer : stay) {
      const std::uint16_t port = peer.local_port();
      server.wait_until("a client that stays is served or refused",
                        [&] { return is_served(server.events, port) || is_refused(server.events, port); });
      if (is_refused(server.events, port)) {
        peer.expect_closed();
      } else {
        check("a client that is served stays connected", peer.look() == End::none);
      }
    }
    check_no_problem(server.events);
    std::set<ClientId> ids;
    for (const auto& client : server.events.clients()) ids.insert(client->id);
    check_equal("how many different ids were given", ids.size(), server.events.count());
    for (const ClientId id : ids) server.table.erase(id);
    TestClient late(server.port);
    server.wait_until("everybody has left the table, and one more is served",
                      [&] { return is_served(server.events, late.local_port()); });
    server.stop();
  });
}

// --- The program -----------------------------------------------------------------------------------------------------

LAB_TEST(Lab01, TheProgramPrintsALineForEachClient, "N2", kProgram) {
  STEP("the program starts, for two clients");
  ServerProgram server({"--max-clients", "2"});
  STEP("two clients connect");
  TestClient first(server.port);
  server.wait_for_line("client 1 connected from 127.0.0.1:" + std::to_string(first.local_port()));
  TestClient second(server.port);
  server.wait_for_line("client 2 connected from 127.0.0.1:" + std::to_string(second.local_port()));
  STEP("a third one connects");
  TestClient third(server.port);
  server.wait_for_line("refused 127.0.0.1:" + std::to_string(third.local_port()));
  third.expect_closed();
  check("the first two are connected", first.look() == End::none && second.look() == End::none);
  STEP("Ctrl+C");
  server.stop();
  server.wait_for_line("stopped: 2 clients were connected");
  first.expect_closed();
}

LAB_TEST(Lab01, TheProgramSaysWhyItEnds, "N2", kProgram) {
  STEP("the program starts, then once more on the same port");
  ServerProgram server;
  Program second({"--port", std::to_string(server.port)});
  check_equal("the exit code for a port in use", second.wait_for_exit(), 1);
  check("it names the call and asks whether the port is in use: " + second.output(),
        second.output().find("bind") != std::string::npos &&
            second.output().find("is the port in use") != std::string::npos);
  STEP("the first one still serves");
  TestClient client(server.port);
  server.wait_for_line("client 1 connected");
  server.stop();
  STEP("it is started with options that are wrong, and with --help");
  Program bad({"--port", "70000"});
  check_equal("the exit code for a bad option", bad.wait_for_exit(), 2);
  Program help({"--help"});
  check_equal("the exit code for --help", help.wait_for_exit(), 0);
  check("it explains --max-clients", help.output().find("--max-clients") != std::string::npos);
}

}  // namespace
