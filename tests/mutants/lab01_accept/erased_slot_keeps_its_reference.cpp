// Wrong: the array forgets the count but not the shared_ptr of the last slot.
#include "accept.h"

#include <chrono>
#include <mutex>
#include <thread>

namespace lab {

/* A plain array of slots, 0 .. count-1 are used, in the order of the ids. */
struct ClientTable::State {
    std::mutex lock;
    std::vector<std::shared_ptr<Client>> slot;
    size_t count;
    size_t capacity;
    ClientId id_counter;
};

ClientTable::ClientTable(size_t max_clients) : state_(new State) {
    state_->count = 0;
    state_->capacity = max_clients;
    state_->id_counter = 0;
    state_->slot.resize(max_clients);
}

ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
    State* s = state_.get();
    bool ok = false;
    s->lock.lock();
    if (s->count < s->capacity) {
        client->id = ++s->id_counter;
        s->slot[s->count++] = client;
        ok = true;
    }
    s->lock.unlock();
    return ok;
}

bool ClientTable::erase(ClientId id) {
    State* s = state_.get();
    s->lock.lock();
    size_t i = 0;
    while (i < s->count && s->slot[i]->id != id) i++;
    bool found = i < s->count;
    if (found) {
        for (; i + 1 < s->count; i++) s->slot[i] = s->slot[i + 1];
        s->count--;
    }
    s->lock.unlock();
    return found;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
    State* s = state_.get();
    std::shared_ptr<Client> result;
    s->lock.lock();
    for (size_t i = 0; i < s->count; i++) {
        if (s->slot[i]->id == id) {
            result = s->slot[i];
            break;
        }
    }
    s->lock.unlock();
    return result;
}

size_t ClientTable::size() const {
    state_->lock.lock();
    size_t n = state_->count;
    state_->lock.unlock();
    return n;
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
    std::lock_guard<std::mutex> guard(state_->lock); /* the copy may throw */
    return std::vector<std::shared_ptr<Client>>(state_->slot.begin(), state_->slot.begin() + (std::ptrdiff_t)state_->count);
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
