// Wrong: the dead socket is closed before WSAGetLastError, so the code is that of closesocket.
#include "accept.h"

#include <chrono>
#include <cstring>
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
            ::closesocket(clientSocket);  // do not leak it
            int error = ::WSAGetLastError();
            // somebody closed the listener because we shall stop
            if (stopping == true) {
                return;
            }
            if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
                throw_socket_error("accept", error);
            }
            events.on_error(error);
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
