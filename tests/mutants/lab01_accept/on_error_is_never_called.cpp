// Wrong: errors of accept are survived, but nobody is told.
#include "accept.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace lab {

using Lock = std::unique_lock<std::shared_mutex>;        // for those who change the table
using SharedLock = std::shared_lock<std::shared_mutex>;  // for those who look

struct ClientTable::State {
  explicit State(std::size_t max) : max(max) { byId.reserve(std::min<std::size_t>(max, 4096)); }
  std::size_t max;
  mutable std::shared_mutex mutex;
  std::unordered_map<ClientId, std::shared_ptr<Client>> byId;
  ClientId idCounter{0};
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  State& s = *state_;
  Lock lock(s.mutex);
  if (s.byId.size() >= s.max) return false;
  client->id = ++s.idCounter;
  s.byId.insert({client->id, client});
  return true;
}

bool ClientTable::erase(ClientId id) {
  State& s = *state_;
  decltype(s.byId)::node_type node;  // holds the client until the lock is gone
  Lock lock(s.mutex);
  node = s.byId.extract(id);
  return !node.empty();
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  SharedLock lock(state_->mutex);
  if (auto it = state_->byId.find(id); it != state_->byId.end()) return it->second;
  return {};
}

std::size_t ClientTable::size() const {
  SharedLock lock(state_->mutex);
  return state_->byId.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::shared_ptr<Client>> all;
  {
    SharedLock lock(state_->mutex);
    for (const auto& [id, client] : state_->byId) all.push_back(client);
  }
  // the ids of clients in a table do not change, so this needs no lock
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
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
