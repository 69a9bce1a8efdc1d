// Right: a coroutine yields what accept gives; a permit is taken for a place in the table before anything is locked.
#include "accept.h"

#include <chrono>
#include <coroutine>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace lab {

struct ClientTable::State {
  explicit State(std::size_t max) : permits(max) {}

  // Never below zero: a counter that goes down and up again would refuse others meanwhile.
  bool take_permit() {
    std::size_t left = permits;
    while (left > 0) {
      if (permits.compare_exchange_weak(left, left - 1)) return true;
    }
    return false;
  }

  std::atomic<std::size_t> permits;
  std::mutex mutex;  // protects the others
  std::map<ClientId, std::shared_ptr<Client>> clients;
  ClientId last_id = 0;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  if (!state_->take_permit()) return false;
  std::lock_guard lock(state_->mutex);
  client->id = ++state_->last_id;
  state_->clients[client->id] = client;
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<Client> client;
  {
    std::lock_guard lock(state_->mutex);
    const auto found = state_->clients.find(id);
    if (found == state_->clients.end()) return false;
    client = found->second;
    state_->clients.erase(found);
  }
  ++state_->permits;
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
  for (const auto& [id, client] : state_->clients) all.push_back(client);
  return all;
}

static void check(int result, const char* call) {
  if (result == SOCKET_ERROR) throw_socket_error(call);
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket listener(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!listener.valid()) throw_socket_error("socket");
  int exclusive = 1;
  check(::setsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<char*>(&exclusive), sizeof exclusive),
        "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  check(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
  check(::listen(listener.get(), SOMAXCONN), "listen");
  return listener;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

namespace {

struct Arrival {
  UniqueSocket socket;
  sockaddr_in address{};
  int error = 0;
};

// A sequence of arrivals, each made when it is asked for.
class Arrivals {
 public:
  struct promise_type {
    Arrivals get_return_object() { return Arrivals(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(Arrival& next) {
      arrival = &next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }
    Arrival* arrival = nullptr;
    std::exception_ptr error;
  };
  explicit Arrivals(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;
  ~Arrivals() { handle_.destroy(); }

  // Null when there are no more.
  Arrival* next() {
    handle_.resume();
    if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
    return handle_.done() ? nullptr : handle_.promise().arrival;
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

Arrivals arrivals(const UniqueSocket& listener, const std::atomic<bool>& stopping) {
  while (!stopping) {
    Arrival arrival;
    int size = sizeof arrival.address;
    arrival.socket = UniqueSocket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&arrival.address), &size));
    if (!arrival.socket.valid()) arrival.error = ::WSAGetLastError();
    if (stopping) co_return;
    const int error = arrival.error;
    if (error == WSAENOTSOCK || error == WSAEINVAL || error == WSAEOPNOTSUPP || error == WSANOTINITIALISED) {
      throw_socket_error("accept", error);
    }
    co_yield arrival;
    if (error == WSAEMFILE || error == WSAENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void take(Arrival& arrival, ClientTable& clients, AcceptEvents& events) {
  const auto client = events.make_client();
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &arrival.address.sin_addr, text, sizeof text);
  client->peer = {text, ntohs(arrival.address.sin_port)};
  client->socket = std::move(arrival.socket);
  if (clients.insert(client)) return events.on_client(client);
  client->socket.close();
  events.on_refused(client->peer);
}

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  Arrivals all = arrivals(listener, stopping);
  while (Arrival* const arrival = all.next()) {
    if (arrival->error != 0) {
      events.on_error(arrival->error);
    } else {
      take(*arrival, clients, events);
    }
  }
}

}  // namespace lab
