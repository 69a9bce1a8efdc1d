// Wrong: on_error is called for the listener that was closed on purpose.
#include "accept.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

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

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
    while (stopping == false) {
        sockaddr_in clientAddress{};
        int addressSize = sizeof(clientAddress);
        SOCKET clientSocket = ::accept(listener.get(), reinterpret_cast<sockaddr*>(&clientAddress), &addressSize);

        if (clientSocket == INVALID_SOCKET) {
            int error = ::WSAGetLastError();
            events.on_error(error);
            if (stopping == true) {
                return;
            }
            if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
                throw_socket_error("accept", error);
            }
            if (error == WSAEMFILE || error == WSAENOBUFS) {
                // no sockets left: give the others some time
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
            continue;
        }

        UniqueSocket connection(clientSocket);
        if (stopping == true) {
            return;
        }

        std::shared_ptr<Client> client = events.make_client();

        // fill in who the client is
        char ipText[INET_ADDRSTRLEN] = {0};
        ::inet_ntop(AF_INET, &clientAddress.sin_addr, ipText, sizeof(ipText));
        client->peer.ip = ipText;
        client->peer.port = ntohs(clientAddress.sin_port);
        client->socket = std::move(connection);

        bool inserted = clients.insert(client);
        if (inserted) {
            events.on_client(client);
        } else {
            client->socket.close();
            events.on_refused(client->peer);
        }
    }
}

}  // namespace lab
