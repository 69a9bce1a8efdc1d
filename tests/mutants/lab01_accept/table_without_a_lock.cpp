// Wrong: no function of the table takes a lock.
#include "accept.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

namespace lab {

// New ids are always the largest, so push_back keeps the vector sorted by id.
struct ClientTable::State {
  std::size_t limit;
  std::vector<std::shared_ptr<Client>> list;
  ClientId next = 1;

  auto place_of(ClientId id) {
    return std::lower_bound(list.begin(), list.end(), id,
                            [](const std::shared_ptr<Client>& c, ClientId wanted) { return c->id < wanted; });
  }
};

ClientTable::ClientTable(std::size_t max_clients) : state_(new State{max_clients, {}, 1}) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  if (state_->list.size() == state_->limit) return false;
  client->id = state_->next++;
  state_->list.push_back(client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  const auto at = state_->place_of(id);
  if (at == state_->list.end() || (*at)->id != id) return false;
  const std::shared_ptr<Client> removed = std::move(*at);
  state_->list.erase(at);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  const auto at = state_->place_of(id);
  return at != state_->list.end() && (*at)->id == id ? *at : nullptr;
}

std::size_t ClientTable::size() const {
  return state_->list.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->list;
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket listener{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  if (!listener.valid()) throw_socket_error("socket");

  int yes = 1;
  int result = ::setsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes), sizeof(yes));
  if (result == SOCKET_ERROR) throw_socket_error("setsockopt");

  sockaddr_in addr{};
  addr.sin_family = AF_INET;
  addr.sin_port = htons(port);
  addr.sin_addr.s_addr = htonl(INADDR_ANY);
  result = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&addr), sizeof(addr));
  if (result == SOCKET_ERROR) throw_socket_error("bind");

  result = ::listen(listener.get(), SOMAXCONN);
  if (result == SOCKET_ERROR) throw_socket_error("listen");
  return listener;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in addr{};
  int len = sizeof(addr);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&addr), &len) != 0) throw_socket_error("getsockname");
  return ntohs(addr.sin_port);
}

namespace {

bool fatal(int error) {
  for (const int code : {WSAENOTSOCK, WSAEINVAL, WSAEOPNOTSUPP, WSANOTINITIALISED}) {
    if (error == code) return true;
  }
  return false;
}

bool short_of_something(int error) { return error == WSAEMFILE || error == WSAENOBUFS; }

PeerAddress to_peer(const sockaddr_in& from) {
  PeerAddress peer;
  char buffer[INET_ADDRSTRLEN] = "";
  if (::inet_ntop(AF_INET, &from.sin_addr, buffer, sizeof buffer) != nullptr) peer.ip = buffer;
  peer.port = ntohs(from.sin_port);
  return peer;
}

void welcome(UniqueSocket socket, const sockaddr_in& from, ClientTable& clients, AcceptEvents& events) {
  auto client = events.make_client();
  client->socket = std::move(socket);
  client->peer = to_peer(from);
  if (clients.insert(client)) return events.on_client(client);
  client->socket.close();
  events.on_refused(client->peer);
}

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping) {
    sockaddr_in from{};
    int size = sizeof from;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&from), &size));
    const int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) return;
    if (socket.valid()) {
      welcome(std::move(socket), from, clients, events);
      continue;
    }
    if (fatal(error)) throw_socket_error("accept", error);
    events.on_error(error);
    if (short_of_something(error)) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

}  // namespace lab
