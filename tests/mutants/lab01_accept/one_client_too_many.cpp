// Wrong: the limit is tested with ">", so the table takes one more.
#include "accept.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <shared_mutex>
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
  if (s.byId.size() > s.max) return false;
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

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  for (;;) {
    if (stopping) break;
    struct sockaddr_in from;
    memset(&from, 0, sizeof(from));
    int from_size = sizeof(from);
    UniqueSocket accepted(::accept(listener.get(), (struct sockaddr*)&from, &from_size));
    int error = ::WSAGetLastError();
    if (stopping) break;

    if (!accepted.valid()) {
      switch (error) {
        case WSAENOTSOCK:
        case WSAEINVAL:
        case WSAEOPNOTSUPP:
        case WSANOTINITIALISED:
          throw_socket_error("accept", error);
        case WSAEMFILE:
        case WSAENOBUFS:
          events.on_error(error);
          ::Sleep(5);
          break;
        default:
          events.on_error(error);
          break;
      }
      continue;
    }

    auto client = events.make_client();
    // the four bytes of the address, in the order in which people write them
    const unsigned char* b = (const unsigned char*)&from.sin_addr;
    char ip[16];
    snprintf(ip, sizeof(ip), "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    client->peer.ip = ip;
    client->peer.port = ntohs(from.sin_port);
    client->socket = std::move(accepted);
    if (!clients.insert(client)) {
      client->socket.close();
      events.on_refused(client->peer);
      continue;
    }
    events.on_client(client);
  }
}

}  // namespace lab
