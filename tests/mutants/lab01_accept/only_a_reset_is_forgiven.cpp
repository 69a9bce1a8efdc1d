// Wrong: WSAECONNRESET and WSAEINTR go on, every other error is thrown.
#include "accept.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace lab {

// New ids are always the largest, so push_back keeps the vector sorted by id.
struct ClientTable::State {
  std::size_t limit;
  std::vector<std::shared_ptr<Client>> list;
  ClientId next = 1;
  std::mutex m;

  auto place_of(ClientId id) {
    return std::lower_bound(list.begin(), list.end(), id,
                            [](const std::shared_ptr<Client>& c, ClientId wanted) { return c->id < wanted; });
  }
};

ClientTable::ClientTable(std::size_t max_clients) : state_(new State{max_clients, {}, 1, {}}) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::unique_lock lock(state_->m);
  if (state_->list.size() == state_->limit) return false;
  client->id = state_->next++;
  state_->list.push_back(client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::unique_lock lock(state_->m);
  const auto at = state_->place_of(id);
  if (at == state_->list.end() || (*at)->id != id) return false;
  const std::shared_ptr<Client> removed = std::move(*at);
  state_->list.erase(at);
  lock.unlock();  // `removed` goes after this
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  std::unique_lock lock(state_->m);
  const auto at = state_->place_of(id);
  return at != state_->list.end() && (*at)->id == id ? *at : nullptr;
}

std::size_t ClientTable::size() const {
  std::unique_lock lock(state_->m);
  return state_->list.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::unique_lock lock(state_->m);
  return state_->list;
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
        case WSAECONNRESET:  // the client is gone already
        case WSAEINTR:
          events.on_error(error);
          break;
        case WSAEMFILE:
        case WSAENOBUFS:
          events.on_error(error);
          ::Sleep(5);
          break;
        default:
          throw_socket_error("accept", error);
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
