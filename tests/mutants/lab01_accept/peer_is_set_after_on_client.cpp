// Wrong: the address is filled in at the end, when others have seen the client already.
#include "accept.h"

#include <chrono>
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
        client->socket = std::move(connection);

        bool inserted = clients.insert(client);
        if (inserted) {
            events.on_client(client);
        } else {
            client->socket.close();
            events.on_refused({ipText, ntohs(clientAddress.sin_port)});
        }
        client->peer.ip = ipText;
        client->peer.port = ntohs(clientAddress.sin_port);
    }
}

}  // namespace lab
