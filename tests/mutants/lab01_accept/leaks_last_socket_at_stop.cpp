// Wrong: accept's result is a raw SOCKET until the look at `stopping`. A connection that slips in at the last moment is never closed.
// Breaks accept.h: "a connection that still comes in then is closed: once `stopping` is set, the loop calls nothing and returns".
// Shows: `stopping` is set while accept is just succeeding. The socket leaks and the peer is never told.

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

namespace {

// Closes the socket of a setup that failed, after the code has been read.
[[noreturn]] void give_up(UniqueSocket& socket, const char* call) {
  const int code = ::WSAGetLastError();
  socket.close();
  throw std::system_error(code, std::system_category(), call);
}

}  // namespace

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket s(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (s.get() == INVALID_SOCKET) give_up(s, "socket");

  BOOL on = TRUE;
  if (::setsockopt(s.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&on), sizeof on) != 0)
    give_up(s, "setsockopt");

  sockaddr_in any;
  std::memset(&any, 0, sizeof any);
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  any.sin_port = htons(port);
  if (::bind(s.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) give_up(s, "bind");
  if (::listen(s.get(), SOMAXCONN) != 0) give_up(s, "listen");
  return s;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_storage name;
  std::memset(&name, 0, sizeof name);
  int length = static_cast<int>(sizeof name);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) == SOCKET_ERROR) {
    throw_socket_error("getsockname");
  }
  sockaddr_in v4;
  std::memcpy(&v4, &name, sizeof v4);
  return ntohs(v4.sin_port);
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  for (;;) {
    if (stopping) return;

    sockaddr_in peer;
    std::memset(&peer, 0, sizeof peer);
    int peer_size = static_cast<int>(sizeof peer);
    const SOCKET s = ::accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size);
    const int code = s == INVALID_SOCKET ? ::WSAGetLastError() : 0;

    if (stopping) return;

    if (s == INVALID_SOCKET) {
      if (code == WSAENOTSOCK || code == WSAEINVAL || code == WSAEOPNOTSUPP || code == WSANOTINITIALISED) {
        throw_socket_error("accept", code);
      }
      events.on_error(code);
      if (code == WSAEMFILE || code == WSAENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(4));
      continue;
    }

    UniqueSocket owner(s);
    auto client = events.make_client();
    char ip[INET_ADDRSTRLEN];
    if (::inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof ip) == nullptr) ip[0] = 0;
    client->peer.ip = ip;
    client->peer.port = ntohs(peer.sin_port);
    client->socket = std::move(owner);

    if (clients.insert(client)) {
      events.on_client(client);
    } else {
      client->socket.close();
      events.on_refused(client->peer);
    }
  }
}

}  // namespace lab
