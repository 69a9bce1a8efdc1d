// Wrong: find, size and snapshot read without the lock.
#include "accept.h"

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

struct ClientTable::State {
    std::mutex mutex;
    std::map<ClientId, std::shared_ptr<Client>> clients;
    std::size_t maxClients = 0;
    ClientId lastId = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) {
    state_->maxClients = max_clients;
}

ClientTable::~ClientTable() {
}

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
    std::lock_guard<std::mutex> guard(state_->mutex);
    // is there room?
    if (state_->clients.size() >= state_->maxClients) {
        return false;
    }
    state_->lastId = state_->lastId + 1;
    client->id = state_->lastId;
    state_->clients[client->id] = client;
    return true;
}

bool ClientTable::erase(ClientId id) {
    std::shared_ptr<Client> gone;  // so that the client dies after the unlock
    std::lock_guard<std::mutex> guard(state_->mutex);
    auto it = state_->clients.find(id);
    if (it == state_->clients.end()) {
        return false;
    }
    gone = it->second;
    state_->clients.erase(it);
    return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
    auto it = state_->clients.find(id);  // only reads, needs no lock
    if (it == state_->clients.end()) {
        return nullptr;
    }
    return it->second;
}

std::size_t ClientTable::size() const {
    return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
    std::vector<std::shared_ptr<Client>> result;
    for (auto& entry : state_->clients) {
        result.push_back(entry.second);
    }
    return result;
}

static void must(bool ok, const char* call) {
  if (!ok) throw_socket_error(call);
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket s(::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED));
  must(s.valid(), "socket");
  const int on = 1;
  must(::setsockopt(s.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&on), sizeof on) == 0, "setsockopt");
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  must(::bind(s.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0, "bind");
  must(::listen(s.get(), SOMAXCONN) == 0, "listen");
  return s;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in where{};
  int size = sizeof where;
  must(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&where), &size) == 0, "getsockname");
  return ntohs(where.sin_port);
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
