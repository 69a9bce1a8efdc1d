// Right: a monitor template (Guarded) with lambdas around a std::set with a transparent comparator; erase takes the node
// out. The loop first classifies each result of accept (enum Fate), then acts. The address is written by hand. The pause is cut into
// milliseconds that look at `stopping`. The refused socket is closed by assigning an empty one.

#include "accept.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace lab {

namespace {

// A value that can only be reached with its lock held.
template <class T>
class Guarded {
 public:
  template <class... Arguments>
  explicit Guarded(Arguments&&... arguments) : value_{std::forward<Arguments>(arguments)...} {}

  template <class Work>
  auto with(Work work) {
    std::lock_guard lock(mutex_);
    return work(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

struct ById {
  using is_transparent = void;
  static ClientId key(ClientId id) { return id; }
  static ClientId key(const std::shared_ptr<Client>& client) { return client->id; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return key(a) < key(b);
  }
};

struct Inside {
  std::size_t limit = 0;
  std::set<std::shared_ptr<Client>, ById> clients = {};
  ClientId next = 1;
};

}  // namespace

struct ClientTable::State : Guarded<Inside> {
  using Guarded::Guarded;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  return state_->with([&](Inside& in) {
    if (in.clients.size() >= in.limit) return false;
    client->id = in.next++;
    in.clients.insert(in.clients.end(), client);
    return true;
  });
}

bool ClientTable::erase(ClientId id) {
  // The node leaves the monitor alive and dies here, without the lock.
  const auto node = state_->with([&](Inside& in) {
    const auto at = in.clients.find(id);
    return at == in.clients.end() ? decltype(in.clients)::node_type() : in.clients.extract(at);
  });
  return !node.empty();
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  return state_->with([&](Inside& in) {
    const auto at = in.clients.find(id);
    return at == in.clients.end() ? std::shared_ptr<Client>() : *at;
  });
}

std::size_t ClientTable::size() const {
  return state_->with([](Inside& in) { return in.clients.size(); });
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->with([](Inside& in) { return std::vector(in.clients.begin(), in.clients.end()); });
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

enum class Fate { stop, welcome, complain, rest, die };

struct Arrival {
  UniqueSocket socket;
  sockaddr_in from{};
  int code = 0;
};

Arrival next_arrival(const UniqueSocket& listener) {
  Arrival arrival;
  int size = sizeof arrival.from;
  arrival.socket = UniqueSocket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&arrival.from), &size));
  if (!arrival.socket.valid()) arrival.code = ::WSAGetLastError();
  return arrival;
}

Fate judge(const Arrival& arrival, bool stopping) {
  if (stopping) return Fate::stop;
  if (arrival.socket.valid()) return Fate::welcome;
  const auto one_of = [&](std::initializer_list<int> codes) { return std::ranges::find(codes, arrival.code) != codes.end(); };
  if (one_of({WSAENOTSOCK, WSAEINVAL, WSAEOPNOTSUPP, WSANOTINITIALISED})) return Fate::die;
  return one_of({WSAEMFILE, WSAENOBUFS}) ? Fate::rest : Fate::complain;
}

// Written by hand: the four numbers of the address, the high one first.
std::string dotted(const in_addr& address) {
  const std::uint32_t ip = ntohl(address.s_addr);
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string(ip >> shift & 0xffu);
    if (shift > 0) text += '.';
  }
  return text;
}

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping.load(std::memory_order_acquire)) {
    Arrival arrival = next_arrival(listener);
    switch (judge(arrival, stopping.load(std::memory_order_acquire))) {
      case Fate::stop:
        return;
      case Fate::die:
        throw_socket_error("accept", arrival.code);
      case Fate::complain:
        events.on_error(arrival.code);
        break;
      case Fate::rest:
        events.on_error(arrival.code);
        for (int i = 0; i < 5 && !stopping; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        break;
      case Fate::welcome: {
        const auto client = events.make_client();
        client->socket = std::move(arrival.socket);
        client->peer = {dotted(arrival.from.sin_addr), ntohs(arrival.from.sin_port)};
        if (clients.insert(client)) {
          events.on_client(client);
        } else {
          client->socket = UniqueSocket();  // the old one is closed
          events.on_refused(client->peer);
        }
      }
    }
  }
}

}  // namespace lab
