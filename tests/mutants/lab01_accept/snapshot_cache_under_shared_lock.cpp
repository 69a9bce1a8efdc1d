// Wrong: snapshot keeps its sorted result for the next call, and fills that cache under a shared lock.
// Breaks accept.h: "any thread may call any function at any time".
// Shows: two threads call snapshot at the same time, and the table has changed since the last one: both write the same vector (a data
// race; wrong results or a crash). snapshot together with insert or erase is safe.

#include "accept.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace lab {

struct ClientTable::State {
  explicit State(std::size_t max) : limit(max) {}

  const std::size_t limit;
  std::shared_mutex mutex;  // protects what follows: find, size and snapshot only read
  std::unordered_map<ClientId, std::shared_ptr<Client>> clients;
  ClientId last = 0;
  std::vector<std::shared_ptr<Client>> sorted;  // what snapshot returned last, while nothing has changed
  bool sorted_is_fresh = false;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::unique_lock lock(state_->mutex);
  if (state_->clients.size() >= state_->limit) return false;
  client->id = ++state_->last;
  state_->clients.insert({client->id, client});
  state_->sorted_is_fresh = false;
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::vector<std::shared_ptr<Client>> old;  // both die after the lock is gone
  std::shared_ptr<Client> client;
  std::unique_lock lock(state_->mutex);
  const auto it = state_->clients.find(id);
  if (it == state_->clients.end()) return false;
  client = std::move(it->second);
  state_->clients.erase(it);
  old.swap(state_->sorted);
  state_->sorted_is_fresh = false;
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  std::shared_lock lock(state_->mutex);
  if (const auto it = state_->clients.find(id); it != state_->clients.end()) return it->second;
  return {};
}

std::size_t ClientTable::size() const {
  std::shared_lock lock(state_->mutex);
  return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  State& s = *state_;
  std::shared_lock lock(s.mutex);
  if (!s.sorted_is_fresh) {
    s.sorted.clear();
    for (const auto& entry : s.clients) s.sorted.push_back(entry.second);
    std::sort(s.sorted.begin(), s.sorted.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
    s.sorted_is_fresh = true;
  }
  return s.sorted;
}

UniqueSocket open_listener(std::uint16_t port) {
  const auto check = [](int result, const char* call) {
    if (result == SOCKET_ERROR) throw_socket_error(call);
  };
  UniqueSocket door{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  if (!door.valid()) throw_socket_error("socket");

  int yes = 1;
  check(::setsockopt(door.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes), sizeof yes),
        "setsockopt");
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(port);
  here.sin_addr.s_addr = htonl(INADDR_ANY);
  check(::bind(door.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), "bind");
  check(::listen(door.get(), SOMAXCONN), "listen");
  return door;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in here{};
  int length = sizeof here;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &length) != 0) throw_socket_error("getsockname");
  return ntohs(here.sin_port);
}

namespace {

class Acceptor {
 public:
  Acceptor(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients, AcceptEvents& events)
      : listener_(listener), stopping_(stopping), clients_(clients), events_(events) {}

  void run() {
    while (!stopping_.load()) {
      sockaddr_in from{};
      int length = sizeof from;
      UniqueSocket taken(::accept(listener_.get(), reinterpret_cast<sockaddr*>(&from), &length));
      if (!taken.valid()) {
        const int code = ::WSAGetLastError();
        if (stopping_.load()) break;
        failed(code);
      } else if (!stopping_.load()) {
        welcome(std::move(taken), from);
      }
    }
  }

 private:
  void failed(int code) {
    switch (code) {
      case WSAENOTSOCK:
      case WSAEINVAL:
      case WSAEOPNOTSUPP:
      case WSANOTINITIALISED:
        throw_socket_error("accept", code);
      case WSAEMFILE:
      case WSAENOBUFS:
        events_.on_error(code);
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        return;
      default:
        events_.on_error(code);
    }
  }

  void welcome(UniqueSocket taken, const sockaddr_in& from) {
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
    std::shared_ptr<Client> client = events_.make_client();
    client->peer = PeerAddress{text, ntohs(from.sin_port)};
    client->socket = std::move(taken);
    if (clients_.insert(client)) {
      events_.on_client(client);
      return;
    }
    client->socket.close();
    events_.on_refused(client->peer);
  }

  const UniqueSocket& listener_;
  const std::atomic<bool>& stopping_;
  ClientTable& clients_;
  AcceptEvents& events_;
};

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  Acceptor(listener, stopping, clients, events).run();
}

}  // namespace lab
