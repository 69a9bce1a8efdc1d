// Right: a snapshot is copied by two jthreads, which begin at a latch; a third one waits when the system is short of sockets.
#include "accept.h"

#include <chrono>
#include <condition_variable>
#include <latch>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>

namespace lab {

struct ClientTable::State {
  explicit State(std::size_t max) : places(max) {}
  std::size_t places;  // that are free
  std::shared_mutex mutex;
  ClientId last_id = 0;
  std::map<ClientId, std::shared_ptr<Client>> clients;
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  const std::unique_lock lock(state_->mutex);
  if (state_->places == 0) return false;
  --state_->places;
  client->id = ++state_->last_id;
  state_->clients.emplace_hint(state_->clients.end(), client->id, client);
  return true;
}

bool ClientTable::erase(ClientId id) {
  decltype(State::clients)::node_type gone;  // destroyed after the lock is released
  const std::unique_lock lock(state_->mutex);
  gone = state_->clients.extract(id);
  if (gone.empty()) return false;
  ++state_->places;
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  const std::shared_lock lock(state_->mutex);
  const auto found = state_->clients.find(id);
  return found != state_->clients.end() ? found->second : nullptr;
}

std::size_t ClientTable::size() const {
  const std::shared_lock lock(state_->mutex);
  return state_->clients.size();
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  const std::shared_lock lock(state_->mutex);
  const auto& clients = state_->clients;
  std::vector<std::shared_ptr<Client>> all(clients.size());
  std::latch start(2);
  const auto copy = [&](std::size_t part) {
    start.arrive_and_wait();
    std::size_t at = 0;
    for (const auto& [id, client] : clients) {
      if (at % 2 == part) all[at] = client;
      ++at;
    }
  };
  if (clients.size() < 2 || clients.size() > 64) {  // too few to share, or a thread would take longer than the copy
    std::size_t at = 0;
    for (const auto& [id, client] : clients) all[at++] = client;
  } else {
    const std::jthread even(copy, 0);
    try {
      const std::jthread odd(copy, 1);  // both are joined here
    } catch (...) {
      start.count_down();  // the even one waits for no other
      throw;
    }
  }
  return all;
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket listener(::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED));
  if (!listener.valid()) throw_socket_error("socket");
  const auto check = [](int result, const char* call) {
    if (result == SOCKET_ERROR) throw_socket_error(call);
  };
  const int yes = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  check(::setsockopt(listener.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes), sizeof yes), "setsockopt");
  check(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  check(::listen(listener.get(), SOMAXCONN), "listen");
  return listener;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in address{};
  int size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == SOCKET_ERROR) throw_socket_error("getsockname");
  return ntohs(address.sin_port);
}

// A thread of its own that sleeps for the loop.
class Pause {
 public:
  void take() {
    std::unique_lock lock(mutex_);
    asked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !asked_; });
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return asked_; })) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      lock.lock();
      asked_ = false;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool asked_ = false;
  std::jthread thread_{[this](std::stop_token stop) { run(stop); }};  // last: it uses the others
};

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  Pause pause;
  for (;;) {
    sockaddr_in address{};
    int size = sizeof address;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
    const int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) return;
    switch (error) {
      case 0: break;
      case WSAENOTSOCK: case WSAEINVAL: case WSAEOPNOTSUPP: case WSANOTINITIALISED: throw_socket_error("accept", error);
      case WSAEMFILE: case WSAENOBUFS: events.on_error(error); pause.take(); continue;
      default: events.on_error(error); continue;
    }
    std::shared_ptr<Client> client = events.make_client();
    char text[INET_ADDRSTRLEN] = "";
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    client->peer = {text, ntohs(address.sin_port)};
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
