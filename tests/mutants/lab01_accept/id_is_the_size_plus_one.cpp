// Wrong: the id is made from the size of the table, so it comes again after an erase.
#include "accept.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

namespace lab {

struct ClientTable::State {
    std::mutex mutex;
    std::map<ClientId, std::shared_ptr<Client>> clients;
    std::size_t maxClients = 0;
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
    client->id = (ClientId)(state_->clients.size() + 1);
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
    std::lock_guard<std::mutex> guard(state_->mutex);
    auto it = state_->clients.find(id);
    if (it == state_->clients.end()) {
        return nullptr;
    }
    return it->second;
}

std::size_t ClientTable::size() const {
    std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
    std::lock_guard<std::mutex> guard(state_->mutex);
    std::vector<std::shared_ptr<Client>> result;
    for (auto& entry : state_->clients) {
        result.push_back(entry.second);
    }
    return result;
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
