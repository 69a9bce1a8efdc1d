// Wrong: the id is counted up before the lock is taken, so two clients can get the same one.
#include "accept.h"

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

namespace {
// Held for a few instructions only, so nobody sleeps.
class SpinLock {
 public:
  void lock() {
    while (busy_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { busy_.clear(std::memory_order_release); }

 private:
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};
}  // namespace

struct ClientTable::State {
  SpinLock lock;
  std::map<ClientId, std::shared_ptr<Client>> table;
  std::size_t max_clients = 0;
  ClientId newest = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) { state_->max_clients = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  const ClientId id = state_->newest + 1;
  const std::scoped_lock held(state_->lock);
  if (state_->table.size() >= state_->max_clients) return false;
  client->id = state_->newest = id;
  state_->table.emplace_hint(state_->table.end(), id, client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;
  const std::scoped_lock held(state_->lock);
  const auto it = state_->table.find(id);
  if (it == state_->table.end()) return false;
  std::swap(client, it->second);
  state_->table.erase(it);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  const std::scoped_lock held(state_->lock);
  const auto it = state_->table.find(id);
  if (it == state_->table.end()) return nullptr;
  return it->second;
}

std::size_t ClientTable::size() const {
  const std::scoped_lock held(state_->lock);
  return state_->table.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::vector<std::shared_ptr<Client>> copy;
  const std::scoped_lock held(state_->lock);
  for (const auto& pair : state_->table) copy.push_back(pair.second);
  return copy;
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
