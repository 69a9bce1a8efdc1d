// Right: an array of sessions that grows and is used again (a free list), with an index from id to session beside it, as old game
// servers do. A recursive mutex is the lock, held by a class of the table's own. The loop is a class with one function for each
// fate of an accept; the peer comes from getpeername, and from accept's own address when that fails.

#include "accept.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace lab {

struct ClientTable::State {
  explicit State(std::size_t limit) : limit(limit) {}

  // Holds the gate for a block.
  class Hold {
   public:
    explicit Hold(State& state) : state_(state) { state_.gate.lock(); }
    ~Hold() { state_.gate.unlock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    State& state_;
  };

  const std::size_t limit;
  std::recursive_mutex gate;  // protects what follows
  std::vector<std::shared_ptr<Client>> sessions;
  std::vector<std::size_t> free_sessions;
  std::map<ClientId, std::size_t> session_of;
  ClientId next_id = 1;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  State& s = *state_;
  const State::Hold hold(s);
  if (s.free_sessions.empty()) {
    if (s.sessions.size() == s.limit) return false;
    s.free_sessions.push_back(s.sessions.size());
    s.sessions.emplace_back();
  }
  const std::size_t place = s.free_sessions.back();
  s.free_sessions.pop_back();
  client->id = s.next_id++;
  s.sessions[place] = client;
  s.session_of[client->id] = place;
  return true;
}

bool ClientTable::erase(ClientId id) {
  State& s = *state_;
  std::shared_ptr<Client> leaving;  // goes when the gate is open again
  const State::Hold hold(s);
  const auto at = s.session_of.find(id);
  if (at == s.session_of.end()) return false;
  leaving.swap(s.sessions[at->second]);
  s.free_sessions.push_back(at->second);
  s.session_of.erase(at);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  State& s = *state_;
  const State::Hold hold(s);
  const auto at = s.session_of.find(id);
  if (at == s.session_of.end()) return {};
  return s.sessions[at->second];
}

std::size_t ClientTable::size() const {
  const State::Hold hold(*state_);
  return state_->session_of.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  State& s = *state_;
  const State::Hold hold(s);
  std::vector<std::shared_ptr<Client>> list(s.session_of.size());
  std::transform(s.session_of.begin(), s.session_of.end(), list.begin(), [&](const auto& entry) { return s.sessions[entry.second]; });
  return list;
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket door{::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED)};
  const auto must = [](bool went_well, const char* call) {
    if (!went_well) throw_socket_error(call);
  };
  must(door.valid(), "socket");
  const BOOL yes = TRUE;
  must(::setsockopt(door.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes), sizeof yes) == 0, "setsockopt");
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(port);
  must(::bind(door.get(), reinterpret_cast<sockaddr*>(&here), sizeof here) == 0, "bind");
  must(::listen(door.get(), SOMAXCONN) == 0, "listen");
  return door;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_storage name{};
  int length = sizeof name;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) throw_socket_error("getsockname");
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

namespace {

class Doorman {
 public:
  Doorman(const UniqueSocket& door, const std::atomic<bool>& stopping, ClientTable& clients, AcceptEvents& events)
      : door_(door), stopping_(stopping), clients_(clients), events_(events) {}

  void work() {
    for (;;) {
      if (stopping_.load()) return;
      sockaddr_in from{};
      int length = sizeof from;
      const SOCKET taken = ::accept(door_.get(), reinterpret_cast<sockaddr*>(&from), &length);
      const int code = taken == INVALID_SOCKET ? ::WSAGetLastError() : 0;
      UniqueSocket guest(taken);
      if (stopping_.load()) return;
      if (guest.valid()) welcome(std::move(guest), from);
      else complain(code);
    }
  }

 private:
  void welcome(UniqueSocket guest, sockaddr_in from) {
    sockaddr_in again{};
    int length = sizeof again;
    if (::getpeername(guest.get(), reinterpret_cast<sockaddr*>(&again), &length) == 0) from = again;
    char digits[64] = {};
    ::inet_ntop(AF_INET, &from.sin_addr, digits, sizeof digits);
    const std::shared_ptr<Client> client = events_.make_client();
    client->peer.ip = digits;
    client->peer.port = ntohs(from.sin_port);
    client->socket = std::move(guest);
    if (clients_.insert(client)) return events_.on_client(client);
    const struct Closing {
      ~Closing() { socket.close(); }
      UniqueSocket& socket;
    } after_the_event{client->socket};  // also when it throws
    events_.on_refused(client->peer);
  }

  void complain(int code) {
    switch (code) {
      case WSAENOTSOCK:
      case WSAEINVAL:
      case WSAEOPNOTSUPP:
      case WSANOTINITIALISED: throw_socket_error("accept", code);
      case WSAEMFILE:
      case WSAENOBUFS: events_.on_error(code); return std::this_thread::sleep_for(std::chrono::milliseconds(3));
      default: return events_.on_error(code);
    }
  }

  const UniqueSocket& door_;
  const std::atomic<bool>& stopping_;
  ClientTable& clients_;
  AcceptEvents& events_;
};

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  Doorman(listener, stopping, clients, events).work();
}

}  // namespace lab
