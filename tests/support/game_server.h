// The game server of lab 5 in the test's own process, and players who check all that they are told. For labs 5 and 6.
//
//   GameServer server(operations);
//   GameServer::Guest& ann = server.enter();        // connected; her first receive is pending
//   server.start(3);                                 // three workers
//   server.log_in(ann);                              // only sends
//   server.settle();                                 // reads; fails the test when somebody is told what is not true
//   server.move(ann);
//   server.settle();
//   server.finish();
//
// Under a Conductor, come() lets the server's accept thread post the first receive, so the seed chooses when:
//
//   server.start(3);
//   server.start_accepting();
//   conductor.wait_for_threads(4);
//   server.come(server.connect());
//
// For the test's thread alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bots_view.h"
#include "conductor.h"
#include "game_handler.h"
#include "net.h"
#include "story.h"

namespace test {

// The game's handler. It counts who is told to have gone, and the conductor can switch threads in it.
class WatchedGame : public lab::Handler {
 public:
  explicit WatchedGame(lab::World& world) : game_(world) {}

  bool on_recv(lab::Server& server, const std::shared_ptr<lab::Connection>& connection, const char* data,
               std::size_t size) override {
    return game_.on_recv(server, connection, data, size);
  }
  void on_sent(lab::Server& server, const std::shared_ptr<lab::Connection>& connection, std::size_t size) override {
    yield_point("on_sent");
    game_.on_sent(server, connection, size);
  }
  void on_disconnect(lab::Server& server, const std::shared_ptr<lab::Connection>& connection,
                     const char* why) override {
    yield_point("on_disconnect");
    game_.on_disconnect(server, connection, why);
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    ++disconnects_[connection.get()];
  }

  int disconnects(const std::shared_ptr<lab::Player>& player) const {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    const auto found = disconnects_.find(player.get());
    return found == disconnects_.end() ? 0 : found->second;
  }
  std::uint64_t packets() const { return game_.packets(); }

 private:
  lab::GameHandler game_;
  mutable std::mutex mutex_;  // protects what follows
  std::map<const lab::Connection*, int> disconnects_;
};

class GameServer {
 public:
  // A client of the test, and the server's object for it.
  struct Guest {
    Guest(TestClient connected, std::shared_ptr<lab::Player> as, std::size_t place, bots::View sees)
        : client(std::move(connected)), player(std::move(as)), life(place), view(std::move(sees)) {}
    TestClient client;
    std::shared_ptr<lab::Player> player;
    std::size_t life;  // its place in what the bots call the truth
    bots::View view;
    std::atomic<bool> in{false};       // its first receive was posted
    std::atomic<bool> refused{false};  // its first receive could not be posted
    bool asked = false;                // it has sent its log-in
  };

  explicit GameServer(std::shared_ptr<lab::OperationSource> operations, int view = 255)
      : parts_(std::make_shared<Parts>(std::move(operations), view)), truth_(parts_->truth), guests_(parts_->guests) {}
  GameServer(const GameServer&) = delete;
  GameServer& operator=(const GameServer&) = delete;

  // After a failed check. Student's threads that cannot be ended keep what they use.
  ~GameServer() {
    if (finished_) return;
    for (const auto& player : parts_->players) player->close();
    for (std::size_t i = 0; i < parts_->workers.size(); ++i) {
      ::PostQueuedCompletionStatus(parts_->port.get(), 0, lab::kQuitKey, nullptr);
    }
    end_accepting();
    const bool joined = ends_within(std::chrono::seconds(2), [parts = parts_] {
      for (std::thread& worker : parts->workers) {
        if (worker.joinable()) worker.join();
      }
      if (parts->accepting.joinable()) parts->accepting.join();
    });
    if (!joined) return;
    eventually(
        [&] {
          while (OVERLAPPED* const overlapped = take()) {
            parts_->operations->release(CONTAINING_RECORD(overlapped, lab::OverlappedEx, overlapped));
          }
          return in_use() == 0;
        },
        std::chrono::milliseconds(200));
  }

  // --- clients come ---

  // Connected, in the table, tied to the port. No receive is pending yet.
  Guest& connect() {
    const std::size_t life = truth_.lives.size();
    truth_.lives.push_back({.bot = life, .path = {}});
    TestClient client(parts_->listener.port);
    auto player = std::make_shared<lab::Player>();
    player->socket = parts_->listener.accept();
    lab::set_no_delay(player->socket);
    check("the table takes the client", parts_->clients.insert(player));
    check("its socket is tied to the port", lab::associate(parts_->port.get(), *player));
    parts_->players.push_back(player);
    return guests_.emplace_back(std::move(client), std::move(player), life, bots::View(truth_, life));
  }

  // The first receive. When it cannot be posted, the client is refused, as register_client does it.
  bool start_recv(Guest& guest) { return parts_->start_recv(guest); }

  // The same on the accept thread, some time later.
  void come(Guest& guest) {
    ::PostQueuedCompletionStatus(parts_->come_port.get(), 0, reinterpret_cast<ULONG_PTR>(&guest), nullptr);
  }

  Guest& enter() {
    Guest& guest = connect();
    check("start_recv returns true", start_recv(guest));
    return guest;
  }

  // --- clients act. Nothing here waits, so a conductor can call it. A server that has closed the connection is no
  // error here ---

  void log_in(Guest& guest) {
    guest.asked = true;
    const std::string name = truth_.name(guest.life);
    send(guest, std::string{static_cast<char>(lab::kHeaderSize + name.size()), lab::CS_LOGIN} + name);
  }

  // A step, for one who plays. It leads somewhere and never back, so that each answer is clear.
  void move(Guest& guest) {
    if (!plays(guest)) return;
    std::vector<bots::Place>& path = truth_.lives[guest.life].path;
    bots::Place place = path.back();
    lab::Direction direction{};
    if (path.size() % 2 == 1) {
      direction = path.front().x < 128 ? lab::Direction::right : lab::Direction::left;
      place.x = static_cast<std::uint8_t>(place.x + (path.front().x < 128 ? 1 : -1));
    } else {
      direction = path.front().y < 128 ? lab::Direction::down : lab::Direction::up;
      place.y = static_cast<std::uint8_t>(place.y + (path.front().y < 128 ? 1 : -1));
    }
    path.push_back(place);
    send(guest, {3, lab::CS_MOVE, static_cast<char>(direction)});
  }

  void send(Guest& guest, const std::string& bytes) { guest.client.send_some(bytes); }

  // What it does next ends the client: others may be told that it leaves.
  Guest& goes(Guest& guest) {
    truth_.lives[guest.life].over = true;
    return guest;
  }

  // --- the workers ---

  void start(unsigned count) {
    parts_->workers = lab::start_workers(parts_->server, count);
    check_equal("the number of threads that start_workers gives", parts_->workers.size(), count);
  }

  // One thread for all that come. It stays to the end: Wine does not complete what a thread has posted that is gone.
  void start_accepting() {
    parts_->accepting = std::thread([parts = parts_.get()] {
      for (;;) {
        DWORD bytes = 0;
        ULONG_PTR guest = 0;
        OVERLAPPED* overlapped = nullptr;
        ::GetQueuedCompletionStatus(parts->come_port.get(), &bytes, &guest, &overlapped, INFINITE);
        if (guest == 0) return;
        parts->start_recv(*reinterpret_cast<Guest*>(guest));
      }
    });
  }

  // --- what has become of everybody ---

  int disconnects(const Guest& guest) const { return parts_->handler.disconnects(guest.player); }
  bool is_gone(const Guest& guest) const { return disconnects(guest) > 0 || guest.refused; }
  bool plays(const Guest& guest) const { return guest.view.logged_in() && !truth_.lives[guest.life].over; }
  std::size_t in_use() const { return parts_->operations->in_use(); }
  std::size_t connected() const {
    return static_cast<std::size_t>(
        std::count_if(guests_.begin(), guests_.end(), [this](const Guest& g) { return g.in && !is_gone(g); }));
  }
  std::uint64_t packets() const { return parts_->handler.packets(); }
  lab::Server& get() { return parts_->server; }
  std::deque<Guest>& guests() { return guests_; }

  // Those who play read until they know what they should: where each of them stands now, and who has gone.
  void settle() {
    std::vector<std::size_t> playing;
    for (Guest& guest : guests_) {
      if (is_gone(guest)) truth_.lives[guest.life].over = true;
      if (guest.asked && !truth_.lives[guest.life].over) playing.push_back(guest.life);
    }
    try {
      for (const std::size_t i : playing) {
        while (!guests_[i].view.logged_in()) read_packet(guests_[i]);
      }
      for (const std::size_t i : playing) {
        Guest& guest = guests_[i];
        const auto knows = [&] {
          return guest.view.answered() + 1 == truth_.lives[i].path.size() && guest.view.missing(playing).empty();
        };
        while (guest.client.look() == End::bytes || !knows()) read_packet(guest);
      }
    } catch (const bots::CheckFailed& failure) {
      fail("expected that each player is told what is true, but " + failure.text);
    }
  }

  // Nothing is on its way: sends have completed, and who is connected has one receive. Who has gone has gone once.
  void check_rest() {
    const std::size_t count = connected();
    check_eventually("the only operations that are out are one receive for each of " + to_text(count) + " clients",
                     [&] { return in_use() == count; });
    for (Guest& guest : guests_) {
      check_equal("bytes_in_flight of a client", guest.player->bytes_in_flight.load(), 0u);
      if (!is_gone(guest)) {
        check("a client that nobody disconnected is still connected", guest.client.look() != End::eof &&
                                                                          guest.client.look() != End::reset);
        continue;
      }
      check_equal("the number of calls of on_disconnect for a client", disconnects(guest), guest.refused ? 0 : 1);
      check("it is not in the table", parts_->clients.find(guest.player->id) == nullptr);
      check("its connection is closed", !guest.player->lock());
    }
  }

  // Everybody who plays makes a step, and everybody else is told.
  void play_a_round() {
    for (Guest& guest : guests_) move(guest);
    settle();
    check_rest();
  }

  // The end of a test that went well: everybody is disconnected, and everything comes back.
  void finish() {
    for (const auto& client : parts_->clients.snapshot()) {
      lab::disconnect(parts_->server, std::static_pointer_cast<lab::Connection>(client), "the test ends");
    }
    check_eventually("every operation is released in the end", [&] { return in_use() == 0; });
    Background stopping("stop_workers", [this] { lab::stop_workers(parts_->server, parts_->workers); });
    stopping.finish();
    if (parts_->accepting.joinable()) {
      end_accepting();
      Background ending("the accept thread", [this] { parts_->accepting.join(); });
      ending.finish();
    }
    check("no packet is left in the port", take() == nullptr);
    check_equal("the number of clients in the table", parts_->clients.size(), 0u);
    check_rest();
    finished_ = true;
  }

 private:
  // Reads one packet, and gives it to the guest's view of the game.
  void read_packet(Guest& guest) {
    const std::string length = guest.client.receive(1);
    const auto size = static_cast<unsigned char>(length[0]);
    if (size < lab::kHeaderSize || size > lab::kMaxPacketSize) {
      fail("expected a packet from the server, but its length is " + to_text(static_cast<unsigned>(size)));
    }
    guest.view.told(length + guest.client.receive(size - 1u));
  }

  // An operation whose completion is in the port now; null when there is none.
  OVERLAPPED* take() {
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* overlapped = nullptr;
    static_cast<void>(::GetQueuedCompletionStatus(parts_->port.get(), &bytes, &key, &overlapped, 0));
    return overlapped;
  }

  void end_accepting() { ::PostQueuedCompletionStatus(parts_->come_port.get(), 0, 0, nullptr); }

  struct Parts {
    Parts(std::shared_ptr<lab::OperationSource> source, int view)
        : operations(std::move(source)), world(100, view), truth{"guest-", view, {}} {}

    bool start_recv(Guest& guest) {
      if (lab::start_recv(*operations, guest.player)) {
        guest.in = true;
        return true;
      }
      guest.player->close();
      clients.erase(guest.player->id);
      guest.refused = true;
      return false;
    }

    std::shared_ptr<lab::OperationSource> operations;
    lab::World world;
    WatchedGame handler{world};
    lab::ClientTable clients{1000};
    lab::UniqueHandle port = lab::create_port(8);
    Listener listener;
    std::vector<std::shared_ptr<lab::Player>> players;  // all that ever came in
    lab::Server server{port.get(), clients, *operations, handler};
    std::vector<std::thread> workers;
    bots::Truth truth;
    std::deque<Guest> guests;  // their addresses are kept; guest i lives life i
    lab::UniqueHandle come_port = lab::create_port(1);
    std::thread accepting;  // gets a guest's address as the key; 0 ends it
  };
  std::shared_ptr<Parts> parts_;
  bots::Truth& truth_;
  std::deque<Guest>& guests_;
  bool finished_ = false;
};

}  // namespace test
