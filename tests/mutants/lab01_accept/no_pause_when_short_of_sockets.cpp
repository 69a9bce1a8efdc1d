// Wrong: after WSAEMFILE the loop tries again at once and takes a whole core.
#include "accept.h"

#include <cstdio>
#include <cstring>
#include <mutex>

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
        default:
          /* this one client could not come in, take the next one */
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
