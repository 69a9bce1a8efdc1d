// Wrong: a new client gets the smallest id that is free.
#include "accept.h"

#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

namespace {
// Held for a few instructions only, so nobody sleeps.
class SpinLock {
 public:
  void lock() {
    while (busy_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { busy_.clear(std::memory_order_release); }

 private:
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};
}  // namespace

struct ClientTable::State {
  SpinLock lock;
  std::map<ClientId, std::shared_ptr<Client>> table;
  std::size_t max_clients = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) { state_->max_clients = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  const std::scoped_lock held(state_->lock);
  if (state_->table.size() >= state_->max_clients) return false;
  ClientId id = 1;
  while (state_->table.count(id) > 0) ++id;  // do not waste numbers
  client->id = id;
  state_->table.emplace(id, client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;
  const std::scoped_lock held(state_->lock);
  const auto it = state_->table.find(id);
  if (it == state_->table.end()) return false;
  std::swap(client, it->second);
  state_->table.erase(it);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  const std::scoped_lock held(state_->lock);
  const auto it = state_->table.find(id);
  if (it == state_->table.end()) return nullptr;
  return it->second;
}

std::size_t ClientTable::size() const {
  const std::scoped_lock held(state_->lock);
  return state_->table.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::shared_ptr<Client>> copy;
  const std::scoped_lock held(state_->lock);
  for (const auto& pair : state_->table) copy.push_back(pair.second);
  return copy;
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
