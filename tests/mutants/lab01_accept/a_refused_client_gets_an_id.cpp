// Wrong: the id is written before the limit is looked at.
#include "accept.h"

#include <algorithm>
#include <chrono>
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
  client->id = state_->next++;
  if (state_->list.size() == state_->limit) return false;
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
