// Wrong: on_client is called before the client is in the table.
#include "accept.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace lab {

using Lock = std::unique_lock<std::shared_mutex>;        // for those who change the table
using SharedLock = std::shared_lock<std::shared_mutex>;  // for those who look

struct ClientTable::State {
  explicit State(std::size_t max) : max(max) { byId.reserve(std::min<std::size_t>(max, 4096)); }
  std::size_t max;
  mutable std::shared_mutex mutex;
  std::unordered_map<ClientId, std::shared_ptr<Client>> byId;
  ClientId idCounter{0};
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  State& s = *state_;
  Lock lock(s.mutex);
  if (s.byId.size() >= s.max) return false;
  client->id = ++s.idCounter;
  s.byId.insert({client->id, client});
  return true;
}

bool ClientTable::erase(ClientId id) {
  State& s = *state_;
  decltype(s.byId)::node_type node;  // holds the client until the lock is gone
  Lock lock(s.mutex);
  node = s.byId.extract(id);
  return !node.empty();
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  SharedLock lock(state_->mutex);
  if (auto it = state_->byId.find(id); it != state_->byId.end()) return it->second;
  return {};
}

std::size_t ClientTable::size() const {
  SharedLock lock(state_->mutex);
  return state_->byId.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::shared_ptr<Client>> all;
  {
    SharedLock lock(state_->mutex);
    for (const auto& [id, client] : state_->byId) all.push_back(client);
  }
  // the ids of clients in a table do not change, so this needs no lock
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
}

UniqueSocket open_listener(std::uint16_t port) {
    SOCKET s;
    int on = 1;
    int err;
    struct sockaddr_in sin;
    const char* call;

    s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (s == INVALID_SOCKET) throw_socket_error("socket");

    call = "setsockopt";
    if (setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char*)&on, sizeof(on)) != 0) goto fail;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_ANY);
    sin.sin_port = htons(port);
    call = "bind";
    if (bind(s, (const struct sockaddr*)&sin, sizeof(sin)) != 0) goto fail;

    call = "listen";
    if (listen(s, SOMAXCONN) != 0) goto fail;
    return UniqueSocket(s);

fail:
    err = WSAGetLastError(); /* before closesocket, which may change it */
    closesocket(s);
    throw_socket_error(call, err);
}

std::uint16_t bound_port(const UniqueSocket& socket) {
    struct sockaddr_in sin;
    int len = sizeof(sin);
    memset(&sin, 0, sizeof(sin));
    if (getsockname(socket.get(), (struct sockaddr*)&sin, &len) == SOCKET_ERROR) {
        throw_socket_error("getsockname");
    }
    return ntohs(sin.sin_port);
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
  events.on_client(client);
  if (clients.insert(client)) return;
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
