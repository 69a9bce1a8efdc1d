// Wrong: insert first counts itself and then looks whether it was too many. For a moment a refused insert holds a place that does
// not exist, and another insert is refused although the table has room.
// Breaks accept.h: "Returns false when the table is full".
// Shows: limit 1, one client inside. Thread A's insert has added 1 (count 2) and not yet taken it back; thread B erases the
// client (count 1) and inserts another: refused, although the table is empty. A race of a few instructions.

#include "accept.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace lab {

struct ClientTable::State {
  const std::size_t limit;
  std::atomic<std::size_t> places_taken{0};
  std::mutex mutex;  // protects what follows
  std::unordered_map<ClientId, std::shared_ptr<Client>> by_id;
  ClientId newest = 0;

  explicit State(std::size_t max) : limit(max) {}
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  State& s = *state_;
  if (s.places_taken.fetch_add(1) >= s.limit) {  // a full table is refused without the lock
    s.places_taken.fetch_sub(1);
    return false;
  }
  std::scoped_lock lock(s.mutex);
  client->id = ++s.newest;
  s.by_id[client->id] = client;
  return true;
}

bool ClientTable::erase(ClientId id) {
  State& s = *state_;
  decltype(s.by_id)::node_type gone;  // dies after the lock
  std::scoped_lock lock(s.mutex);
  gone = s.by_id.extract(id);
  if (gone.empty()) return false;
  s.places_taken.fetch_sub(1);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  std::scoped_lock lock(state_->mutex);
  const auto at = state_->by_id.find(id);
  return at != state_->by_id.end() ? at->second : std::shared_ptr<Client>();
}

std::size_t ClientTable::size() const {
  std::scoped_lock lock(state_->mutex);
  return state_->by_id.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::pair<ClientId, std::shared_ptr<Client>>> pairs;
  {
    std::scoped_lock lock(state_->mutex);
    pairs.assign(state_->by_id.begin(), state_->by_id.end());
  }
  std::sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::shared_ptr<Client>> result;
  result.reserve(pairs.size());
  for (auto& [id, client] : pairs) result.push_back(std::move(client));
  return result;
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
