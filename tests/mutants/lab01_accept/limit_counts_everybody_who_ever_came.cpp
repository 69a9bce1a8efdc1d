// Wrong: the limit is compared with the last id, so places never become free.
#include "accept.h"

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

// Many small tables, each with a lock of its own, so that two threads seldom wait for each other.
// Who inserts holds `door` first: one client at a time comes in, and the limit and the ids are simple.
struct ClientTable::State {
  explicit State(std::size_t max) : limit(max) {}
  struct Stripe {
    std::mutex mutex;
    std::map<ClientId, std::shared_ptr<Client>> clients;
  };
  Stripe& stripe_of(ClientId id) { return stripes[id % stripes.size()]; }

  const std::size_t limit;
  std::mutex door;
  ClientId last = 0;                  // under door
  std::atomic<std::size_t> count{0};  // grows under door, goes down under the lock of a stripe
  std::array<Stripe, 8> stripes;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::lock_guard door(state_->door);
  if (state_->last >= state_->limit) return false;
  client->id = ++state_->last;
  State::Stripe& stripe = state_->stripe_of(client->id);
  std::lock_guard lock(stripe.mutex);
  stripe.clients.emplace(client->id, client);
  ++state_->count;
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;
  State::Stripe& stripe = state_->stripe_of(id);
  std::lock_guard lock(stripe.mutex);
  const auto found = stripe.clients.find(id);
  if (found == stripe.clients.end()) return false;
  client = std::move(found->second);
  stripe.clients.erase(found);
  --state_->count;
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  State::Stripe& stripe = state_->stripe_of(id);
  std::lock_guard lock(stripe.mutex);
  const auto found = stripe.clients.find(id);
  return found == stripe.clients.end() ? nullptr : found->second;
}

std::size_t ClientTable::size() const { return state_->count; }

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  std::map<ClientId, std::shared_ptr<Client>> all;  // a map sorts them
  {
    std::lock_guard door(state_->door);
    std::vector<std::unique_lock<std::mutex>> locks;
    for (auto& stripe : state_->stripes) locks.emplace_back(stripe.mutex);
    for (auto& stripe : state_->stripes) all.insert(stripe.clients.begin(), stripe.clients.end());
  }
  std::vector<std::shared_ptr<Client>> result;
  for (auto& [id, client] : all) result.push_back(std::move(client));
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
