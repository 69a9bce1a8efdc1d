// Wrong: a refused client's socket is not closed; the code trusts that the client object dies at the end of the round. It does not
// when somebody else holds it: make_client belongs to the server, and may keep a reference (a pool, a list of all clients).
// Breaks accept.h: on_refused: "The socket of this peer is closed, or closes right after this call." README step 3 round 2: "Close the
// client's socket (UniqueSocket::close) ... A refused client must not stay half alive".
// Shows: make_client keeps a reference to what it returns, and the table is full.

#include "accept.h"

#include <chrono>
#include <cstring>
#include <mutex>
#include <set>
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
    events_.on_refused(client->peer);
    // `client` goes here, and its socket with it
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
