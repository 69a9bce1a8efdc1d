// Right: readers take no lock. A hazard pointer says which list a reader uses; a writer frees a list when none points at it.
#include "accept.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <thread>

namespace lab {

namespace {

using List = std::vector<std::shared_ptr<Client>>;  // in the order of the ids, never changed after it is published

// What readers look at, and which of them look.
class Published {
 public:
  ~Published() { delete current_.load(); }

  template <class Look>
  auto read(Look look) const {
    const Hazard hazard(*this);
    return look(*hazard.list);
  }
  // For one writer at a time.
  const List& latest() const { return *current_; }
  void replace(std::unique_ptr<const List> next) {
    const std::unique_ptr<const List> old(current_.exchange(next.release()));
    for (const auto& hazard : hazards_) {
      while (hazard == old.get()) std::this_thread::yield();
    }
  }

 private:
  struct Hazard {
    explicit Hazard(const Published& of) {
      const List* expected = nullptr;
      for (std::size_t i = 0;; i = (i + 1) % of.hazards_.size(), expected = nullptr) {
        list = of.current_;
        if (of.hazards_[i].compare_exchange_strong(expected, list)) {
          slot = &of.hazards_[i];
          break;
        }
        if (i + 1 == of.hazards_.size()) std::this_thread::yield();
      }
      while (list != of.current_) *slot = list = of.current_;  // it was replaced before the writer could see the hazard
    }
    ~Hazard() { *slot = nullptr; }
    std::atomic<const List*>* slot = nullptr;
    const List* list = nullptr;
  };

  std::atomic<const List*> current_{new List};
  mutable std::array<std::atomic<const List*>, 8> hazards_{};
};

auto place_of(const List& list, ClientId id) {
  return std::lower_bound(list.begin(), list.end(), id, [](const auto& client, ClientId wanted) { return client->id < wanted; });
}
bool has(const List& list, ClientId id) {
  const auto place = place_of(list, id);
  return place != list.end() && (*place)->id == id;
}

}  // namespace

struct ClientTable::State {
  std::size_t max_clients = 0;
  std::mutex writing;
  ClientId last_id = 0;
  Published list;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) { state_->max_clients = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard lock(state_->writing);
  const List& now = state_->list.latest();
  if (now.size() >= state_->max_clients) return false;
  auto next = std::make_unique<List>(now);
  client->id = ++state_->last_id;
  next->push_back(client);
  state_->list.replace(std::move(next));
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;  // destroyed after the lock is released
  std::lock_guard lock(state_->writing);
  const List& now = state_->list.latest();
  if (!has(now, id)) return false;
  auto next = std::make_unique<List>(now);
  const auto place = next->begin() + (place_of(now, id) - now.begin());
  client = std::move(*place);
  next->erase(place);
  state_->list.replace(std::move(next));
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  return state_->list.read([id](const List& list) { return has(list, id) ? *place_of(list, id) : nullptr; });
}

std::size_t ClientTable::size() const {
  return state_->list.read([](const List& list) { return list.size(); });
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->list.read([](const List& list) { return list; });
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket listener(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!listener.valid()) throw_socket_error("socket");
  const BOOL yes = TRUE;
  if (::setsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes), sizeof yes)) {
    throw_socket_error("setsockopt");
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  any.sin_port = htons(port);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any)) throw_socket_error("bind");
  if (::listen(listener.get(), SOMAXCONN)) throw_socket_error("listen");
  return listener;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size)) throw_socket_error("getsockname");
  return ntohs(address.sin_port);
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping) {
    sockaddr_in from{};
    int size = sizeof from;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&from), &size));
    const int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) break;
    if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
      throw_socket_error("accept", error);
    } else if (error != 0) {
      events.on_error(error);
      const bool is_short_of_something = error == WSAEMFILE || error == WSAENOBUFS;
      if (is_short_of_something) std::this_thread::sleep_for(std::chrono::milliseconds(8));
    } else {
      const auto client = events.make_client();
      char text[INET_ADDRSTRLEN] = "";
      client->peer = {::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text), ntohs(from.sin_port)};
      client->socket = std::move(socket);
      if (clients.insert(client)) {
        events.on_client(client);
      } else {
        client->socket.close();
        events.on_refused(client->peer);
      }
    }
  }
}

}  // namespace lab
