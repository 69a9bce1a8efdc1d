// Right: a list of its own, doubly linked by hand, newest last. The functions of the table are one private `with_lock` and lambdas. The
// clients that are refused die before on_refused; the pause waits on a condition variable that nobody signals.

#include "accept.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace lab {

struct Node {
  ClientId id;
  std::shared_ptr<Client> client;
  Node* before;
  std::unique_ptr<Node> after;
};

struct ClientTable::State {
  std::mutex mutex;
  std::size_t max = 0, now = 0;
  ClientId given = 0;
  std::unique_ptr<Node> first;
  Node* last = nullptr;

  ~State() {  // one by one: a chain of destructors would be as deep as the list
    while (first) first = std::move(first->after);
  }
  template <class Work>
  auto with_lock(Work work) {
    std::unique_lock<std::mutex> lock(mutex);
    return work();
  }
  Node* node(ClientId id) {
    Node* at = last;
    while (at != nullptr && at->id > id) at = at->before;
    return at != nullptr && at->id == id ? at : nullptr;
  }
};

ClientTable::ClientTable(std::size_t max_clients) : state_(new State) { state_->max = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  State* const s = state_.get();
  return s->with_lock([&] {
    if (s->now >= s->max) return false;
    auto fresh = std::make_unique<Node>(Node{s->given + 1, client, s->last, nullptr});
    client->id = ++s->given;
    Node* const here = fresh.get();
    (s->last == nullptr ? s->first : s->last->after) = std::move(fresh);
    s->last = here;
    ++s->now;
    return true;
  });
}

bool ClientTable::erase(ClientId id) {
  State* const s = state_.get();
  std::unique_ptr<Node> out = s->with_lock([&]() -> std::unique_ptr<Node> {
    Node* const node = s->node(id);
    if (node == nullptr) return nullptr;
    std::unique_ptr<Node>& link = node->before == nullptr ? s->first : node->before->after;
    std::unique_ptr<Node> taken = std::move(link);
    link = std::move(taken->after);
    (link == nullptr ? s->last : link->before) = taken->before;
    --s->now;
    return taken;
  });
  return out != nullptr;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  State* const s = state_.get();
  return s->with_lock([&]() -> std::shared_ptr<Client> {
    Node* const node = s->node(id);
    if (node == nullptr) return nullptr;
    return node->client;
  });
}

std::size_t ClientTable::size() const {
  return state_->with_lock([this] { return state_->now; });
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->with_lock([this] {
    std::vector<std::shared_ptr<Client>> copy;
    for (const Node* at = state_->first.get(); at != nullptr; at = at->after.get()) copy.push_back(at->client);
    return copy;
  });
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket s(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  const char* failed = nullptr;
  const int on = 1;
  sockaddr_in a = {};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_ANY);
  if (!s.valid()) failed = "socket";
  else if (::setsockopt(s.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&on), sizeof on)) failed = "setsockopt";
  else if (::bind(s.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a)) failed = "bind";
  else if (::listen(s.get(), SOMAXCONN)) failed = "listen";
  if (failed != nullptr) throw_socket_error(failed);
  return s;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in a = {};
  int n = sizeof a;
  const int result = ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&a), &n);
  if (result == SOCKET_ERROR) throw_socket_error("getsockname");
  return ntohs(a.sin_port);
}

static void pause() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::milliseconds(4), [] { return false; });
}

// False: the loop is over.
static bool one_round(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                      AcceptEvents& events) {
  sockaddr_in a = {};
  int n = sizeof a;
  UniqueSocket connection(::accept(listener.get(), reinterpret_cast<sockaddr*>(&a), &n));
  if (!connection.valid()) {
    const int error = ::WSAGetLastError();
    if (stopping) return false;
    if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
      throw_socket_error("accept", error);
    }
    events.on_error(error);
    if (error == WSAEMFILE || error == WSAENOBUFS) pause();
    return true;
  }
  if (stopping) return false;
  PeerAddress peer;
  peer.ip.resize(INET_ADDRSTRLEN);
  ::inet_ntop(AF_INET, &a.sin_addr, peer.ip.data(), peer.ip.size());
  peer.ip.resize(peer.ip.find('\0'));
  peer.port = ntohs(a.sin_port);
  std::shared_ptr<Client> client = events.make_client();
  client->socket = std::move(connection);
  client->peer = peer;
  if (clients.insert(client)) {
    events.on_client(client);
  } else {
    client->socket.close();
    client.reset();
    events.on_refused(peer);
  }
  return true;
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping && one_round(listener, stopping, clients, events)) {
  }
}

}  // namespace lab
