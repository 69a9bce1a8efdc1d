// Right: the handout, step by step. The loop looks at `stopping` after each return of accept, and nowhere else.
#include "accept.h"

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

struct ClientTable::State {
  State(std::size_t max) : max_clients(max) {}
  std::size_t max_clients;
  std::map<ClientId, std::shared_ptr<Client>> clients;
  ClientId last_id = 0;
  std::mutex mutex;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard lock(state_->mutex);
  if (state_->clients.size() >= state_->max_clients) {
    return false;
  }
  state_->last_id++;
  client->id = state_->last_id;
  state_->clients[client->id] = client;
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> dying;
  std::lock_guard lock(state_->mutex);
  auto it = state_->clients.find(id);
  if (it == state_->clients.end()) {
    return false;
  }
  dying = it->second;
  state_->clients.erase(it);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  std::lock_guard lock(state_->mutex);
  auto it = state_->clients.find(id);
  if (it == state_->clients.end()) {
    return nullptr;
  }
  return it->second;
}

std::size_t ClientTable::size() const {
  std::lock_guard lock(state_->mutex);
  return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::lock_guard lock(state_->mutex);
  std::vector<std::shared_ptr<Client>> result;
  for (auto& pair : state_->clients) {
    result.push_back(pair.second);
  }
  return result;
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket s(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!s.valid()) {
    throw_socket_error("socket");
  }
  int value = 1;
  if (::setsockopt(s.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&value), sizeof value) ==
      SOCKET_ERROR) {
    throw_socket_error("setsockopt");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  if (::bind(s.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == SOCKET_ERROR) {
    throw_socket_error("bind");
  }
  if (::listen(s.get(), SOMAXCONN) == SOCKET_ERROR) {
    throw_socket_error("listen");
  }
  return s;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == SOCKET_ERROR) {
    throw_socket_error("getsockname");
  }
  return ntohs(address.sin_port);
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (true) {
    sockaddr_in address{};
    int size = sizeof address;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
    int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) {
      return;
    }
    if (error != 0) {
      if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
        throw_socket_error("accept", error);
      }
      if (error == WSAEMFILE || error == WSAENOBUFS) {
        events.on_error(error);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        continue;
      }
      events.on_error(error);
      continue;
    }

    char text[INET_ADDRSTRLEN];
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);

    std::shared_ptr<Client> client = events.make_client();
    client->socket = std::move(socket);
    client->peer.ip = text;
    client->peer.port = ntohs(address.sin_port);
    if (clients.insert(client)) {
      events.on_client(client);
    } else {
      client->socket.close();
      events.on_refused(client->peer);
    }
  }
}

}  // namespace lab
