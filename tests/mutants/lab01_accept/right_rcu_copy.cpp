// Right: read, copy, update. A writer copies the sorted list and replaces it; readers only lock during the replacement.
#include "accept.h"

#include <chrono>
#include <mutex>
#include <thread>

namespace lab {

namespace {
using Row = std::pair<ClientId, std::shared_ptr<Client>>;
using List = std::vector<Row>;

const Row* look(const List& list, ClientId id) {
  std::size_t from = 0, to = list.size();
  while (from != to) {
    const std::size_t at = from + (to - from) / 2;
    if (list[at].first == id) return &list[at];
    (list[at].first < id ? from : to) = list[at].first < id ? at + 1 : at;
  }
  return nullptr;
}
}  // namespace

struct ClientTable::State {
  explicit State(std::size_t n) : limit(n) {}
  // Readers never keep an old list: it would keep clients alive that were erased.
  template <class F>
  auto read(F f) const {
    std::lock_guard guard(replacing);
    return f(*list);
  }
  // Returns the old list, to be destroyed when no lock is held.
  std::unique_ptr<const List> publish(std::unique_ptr<const List> next) {
    std::lock_guard guard(replacing);
    list.swap(next);
    return next;
  }
  const std::size_t limit;
  std::mutex writers;
  ClientId newest = 0;
  mutable std::mutex replacing;
  std::unique_ptr<const List> list = std::make_unique<List>();
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard one_writer(state_->writers);
  if (state_->list->size() >= state_->limit) return false;  // only writers change `list`
  auto next = std::make_unique<List>();
  next->reserve(state_->list->size() + 1);
  *next = *state_->list;
  client->id = ++state_->newest;
  next->emplace_back(client->id, client);
  state_->publish(std::move(next));
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::unique_ptr<const List> old;
  {
    std::lock_guard one_writer(state_->writers);
    if (look(*state_->list, id) == nullptr) return false;
    auto next = std::make_unique<List>();
    for (const Row& row : *state_->list) {
      if (row.first != id) next->push_back(row);
    }
    old = state_->publish(std::move(next));
  }
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  return state_->read([id](const List& list) {
    const Row* row = look(list, id);
    return row == nullptr ? std::shared_ptr<Client>() : row->second;
  });
}

std::size_t ClientTable::size() const {
  return state_->read([](const List& list) { return list.size(); });
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->read([](const List& list) {
    std::vector<std::shared_ptr<Client>> all;
    for (const auto& [id, client] : list) all.push_back(client);
    return all;
  });
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket made(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  const BOOL exclusive = TRUE;
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_ANY);
  where.sin_port = htons(port);
  const char* failed =
      !made.valid() ? "socket"
      : ::setsockopt(made.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&exclusive), sizeof exclusive) != 0 ? "setsockopt"
      : ::bind(made.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 ? "bind"
      : ::listen(made.get(), SOMAXCONN) != 0 ? "listen"
      : nullptr;
  if (failed != nullptr) throw_socket_error(failed);
  return made;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  union {
    sockaddr_in in;
    sockaddr any;
  } name{};
  int size = sizeof name.in;
  if (::getsockname(socket.get(), &name.any, &size) != 0) throw_socket_error("getsockname");
  return ntohs(name.in.sin_port);
}

namespace {
struct Stopped {};  // thrown when `stopping` is set

class Loop {
 public:
  Loop(const UniqueSocket& l, const std::atomic<bool>& s, ClientTable& c, AcceptEvents& e) : listener_(l), stop_(s), clients_(c), events_(e) {}
  void run() try {
    for (;;) round();
  } catch (Stopped) {
  }

 private:
  void round() try {
    sockaddr_in from{};
    UniqueSocket socket = next(from);
    const auto client = events_.make_client();
    char text[INET_ADDRSTRLEN];
    client->peer.ip = ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
    client->peer.port = ntohs(from.sin_port);
    client->socket = std::move(socket);
    if (clients_.insert(client)) return events_.on_client(client);
    client->socket = UniqueSocket();
    events_.on_refused(client->peer);
  } catch (const OneLost& lost) {
    events_.on_error(lost.code);
    if (lost.code == WSAEMFILE || lost.code == WSAENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(6));
  }
  struct OneLost {
    int code;
  };
  UniqueSocket next(sockaddr_in& from) {
    int size = sizeof from;
    UniqueSocket socket(::accept(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size));
    const int code = ::WSAGetLastError();
    if (stop_) throw Stopped{};
    if (socket.valid()) return socket;
    if (code == WSAENOTSOCK || code == WSAEINVAL || code == WSAEOPNOTSUPP || code == WSANOTINITIALISED) throw_socket_error("accept", code);
    throw OneLost{code};
  }
  const UniqueSocket& listener_;
  const std::atomic<bool>& stop_;
  ClientTable& clients_;
  AcceptEvents& events_;
};
}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  Loop(listener, stopping, clients, events).run();
}

}  // namespace lab
