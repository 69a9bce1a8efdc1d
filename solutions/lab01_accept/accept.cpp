#include "accept.h"

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

struct ClientTable::State {
  explicit State(std::size_t max) : max_clients(max) {}

  const std::size_t max_clients;
  mutable std::mutex mutex;  // protects what follows
  std::map<ClientId, std::shared_ptr<Client>> clients;
  ClientId last_id = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard lock(state_->mutex);
  if (state_->clients.size() >= state_->max_clients) return false;
  client->id = ++state_->last_id;
  state_->clients.emplace(client->id, client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;  // destroyed after the lock is released: its destructor closes a socket
  std::lock_guard lock(state_->mutex);
  const auto found = state_->clients.find(id);
  if (found == state_->clients.end()) return false;
  client = std::move(found->second);
  state_->clients.erase(found);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  std::lock_guard lock(state_->mutex);
  const auto found = state_->clients.find(id);
  return found == state_->clients.end() ? nullptr : found->second;
}

std::size_t ClientTable::size() const {
  std::lock_guard lock(state_->mutex);
  return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::lock_guard lock(state_->mutex);
  std::vector<std::shared_ptr<Client>> all;
  all.reserve(state_->clients.size());
  for (const auto& [id, client] : state_->clients) all.push_back(client);
  return all;
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket listener(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!listener.valid()) throw_socket_error("socket");

  const int exclusive = 1;
  if (::setsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&exclusive),
                   sizeof exclusive) == SOCKET_ERROR) {
    throw_socket_error("setsockopt");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == SOCKET_ERROR) {
    throw_socket_error("bind");
  }
  if (::listen(listener.get(), SOMAXCONN) == SOCKET_ERROR) throw_socket_error("listen");
  return listener;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == SOCKET_ERROR) {
    throw_socket_error("getsockname");
  }
  return ntohs(address.sin_port);
}

static PeerAddress peer_from(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return {text, ntohs(address.sin_port)};
}

// Errors that mean that this listener will never accept again. All others concern one connection or are temporary.
static bool listener_is_dead(int error) {
  return error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED;
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping) {
    sockaddr_in address{};
    int size = sizeof address;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
    const int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) return;  // a connection that was just accepted is closed with `socket`
    if (error != 0) {
      if (listener_is_dead(error)) throw_socket_error("accept", error);
      events.on_error(error);
      if (error == WSAEMFILE || error == WSAENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }

    const std::shared_ptr<Client> client = events.make_client();
    client->peer = peer_from(address);
    client->socket = std::move(socket);
    if (clients.insert(client)) {
      events.on_client(client);
    } else {
      client->socket.close();
      events.on_refused(client->peer);
    }
  }
}

}  // namespace lab
