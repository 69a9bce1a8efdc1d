// Right: 16 shards (unordered_map) with a lock each and a "door" mutex for all changes. find takes one shard lock only;
// size and snapshot hold the door, so they are exact. accept's result stays a raw SOCKET for a few lines. C style setup.

#include "accept.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace lab {

struct ClientTable::State {
  static constexpr std::size_t kShards = 16;
  struct Shard {
    std::mutex mutex;  // protects `clients`
    std::unordered_map<ClientId, std::shared_ptr<Client>> clients;
  };

  explicit State(std::size_t max) : limit(max) {}
  Shard& of(ClientId id) { return shards[id % kShards]; }

  const std::size_t limit;
  std::mutex door;  // held by whoever changes the table; protects `count` and `last`. Order: door, then a shard.
  std::size_t count = 0;
  ClientId last = 0;
  std::array<Shard, kShards> shards;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard door(state_->door);
  if (state_->count >= state_->limit) return false;
  const ClientId id = state_->last + 1;
  State::Shard& shard = state_->of(id);
  std::lock_guard lock(shard.mutex);
  shard.clients.emplace(id, client);
  client->id = id;
  state_->last = id;
  ++state_->count;
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> gone;  // dies last
  State::Shard& shard = state_->of(id);
  std::lock_guard door(state_->door);
  std::lock_guard lock(shard.mutex);
  const auto at = shard.clients.find(id);
  if (at == shard.clients.end()) return false;
  gone = std::move(at->second);
  shard.clients.erase(at);
  --state_->count;
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  State::Shard& shard = state_->of(id);
  std::lock_guard lock(shard.mutex);  // the only lock of the function that is called most
  const auto at = shard.clients.find(id);
  return at == shard.clients.end() ? nullptr : at->second;
}

std::size_t ClientTable::size() const {
  std::lock_guard door(state_->door);
  return state_->count;
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::pair<ClientId, std::shared_ptr<Client>>> found;
  {
    std::lock_guard door(state_->door);  // nobody changes the table meanwhile; find() only reads
    found.reserve(state_->count);
    for (const State::Shard& shard : state_->shards) found.insert(found.end(), shard.clients.begin(), shard.clients.end());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::shared_ptr<Client>> all;
  all.reserve(found.size());
  for (auto& entry : found) all.push_back(std::move(entry.second));
  return all;
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

    if (stopping) {
      const UniqueSocket dropped(s);  // closes it, if there is one
      return;
    }

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
