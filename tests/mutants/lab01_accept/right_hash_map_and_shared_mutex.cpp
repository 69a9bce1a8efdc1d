// Right: an unordered_map under a shared_mutex; the snapshot is sorted without the lock; WSASocketW.
#include "accept.h"

#include <algorithm>
#include <chrono>
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
