// Wrong: insert returns with the mutex locked when the table is full.
#include "accept.h"

#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

namespace lab {

/* A plain array of slots, 0 .. count-1 are used, in the order of the ids. */
struct ClientTable::State {
    std::mutex lock;
    std::vector<std::shared_ptr<Client>> slot;
    size_t count;
    size_t capacity;
    ClientId id_counter;
};

ClientTable::ClientTable(size_t max_clients) : state_(new State) {
    state_->count = 0;
    state_->capacity = max_clients;
    state_->id_counter = 0;
    state_->slot.resize(max_clients);
}

ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
    State* s = state_.get();
    s->lock.lock();
    if (s->count >= s->capacity) return false;
    client->id = ++s->id_counter;
    s->slot[s->count++] = client;
    s->lock.unlock();
    return true;
}

bool ClientTable::erase(ClientId id) {
    State* s = state_.get();
    std::shared_ptr<Client> out;
    s->lock.lock();
    size_t i = 0;
    while (i < s->count && s->slot[i]->id != id) i++;
    bool found = i < s->count;
    if (found) {
        out.swap(s->slot[i]);
        for (; i + 1 < s->count; i++) s->slot[i].swap(s->slot[i + 1]);
        s->count--;
    }
    s->lock.unlock();
    return found;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
    State* s = state_.get();
    std::shared_ptr<Client> result;
    s->lock.lock();
    for (size_t i = 0; i < s->count; i++) {
        if (s->slot[i]->id == id) {
            result = s->slot[i];
            break;
        }
    }
    s->lock.unlock();
    return result;
}

size_t ClientTable::size() const {
    state_->lock.lock();
    size_t n = state_->count;
    state_->lock.unlock();
    return n;
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
    std::lock_guard<std::mutex> guard(state_->lock); /* the copy may throw */
    return std::vector<std::shared_ptr<Client>>(state_->slot.begin(), state_->slot.begin() + (std::ptrdiff_t)state_->count);
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
