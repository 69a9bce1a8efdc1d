// Wrong: the address is turned with ntohl before it is printed, so it reads 1.0.0.127.
#include "accept.h"

#include <cstdio>
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
  ClientId newest = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) { state_->max_clients = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  const std::scoped_lock held(state_->lock);
  if (state_->table.size() >= state_->max_clients) return false;
  const ClientId id = state_->newest + 1;
  client->id = state_->newest = id;
  state_->table.emplace_hint(state_->table.end(), id, client);
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
    const u_long address = ntohl(from.sin_addr.s_addr);
    const unsigned char* b = (const unsigned char*)&address;
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
