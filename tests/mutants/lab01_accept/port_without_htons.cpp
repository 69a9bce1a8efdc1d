// Wrong: the port is not turned into network byte order, neither when it is set nor when it is read.
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
    sin.sin_port = port;
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
    return sin.sin_port;
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
