// Wrong: erase moves the last client into the hole, and the order is gone.
#include "accept.h"

#include <chrono>
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
    bool ok = false;
    s->lock.lock();
    if (s->count < s->capacity) {
        client->id = ++s->id_counter;
        s->slot[s->count++] = client;
        ok = true;
    }
    s->lock.unlock();
    return ok;
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
        s->count--;
        s->slot[i].swap(s->slot[s->count]); /* O(1) */
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
