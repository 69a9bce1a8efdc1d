// Wrong: the loop makes a plain Client itself.
#include "accept.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <mutex>
#include <thread>

namespace lab {

// Nobody changes a list that is published. Who inserts or erases makes a new one and puts it in the place of the old one.
// So a snapshot is the list itself.
struct ClientTable::State {
  using List = std::vector<std::shared_ptr<Client>>;

  std::shared_ptr<const List> get() {
    std::lock_guard lock(pointer_mutex);
    return list;
  }
  void publish(std::shared_ptr<const List>& next) {  // gives the old one back
    std::lock_guard lock(pointer_mutex);
    list.swap(next);
  }

  std::size_t max_clients = 0;
  ClientId last_id = 0;
  std::mutex writers;        // one writer at a time
  std::mutex pointer_mutex;  // protects `list` alone
  std::shared_ptr<const List> list = std::make_shared<const List>();
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>()) { state_->max_clients = max_clients; }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  std::shared_ptr<const State::List> old;
  std::lock_guard lock(state_->writers);
  old = state_->get();
  if (old->size() >= state_->max_clients) return false;
  client->id = ++state_->last_id;
  auto changed = std::make_shared<State::List>();
  changed->reserve(old->size() + 1);
  *changed = *old;
  changed->push_back(client);
  std::shared_ptr<const State::List> next = std::move(changed);
  state_->publish(next);
  return true;
}

bool ClientTable::erase(ClientId id) {
  std::shared_ptr<const State::List> old, next;
  std::lock_guard lock(state_->writers);
  old = state_->get();
  const auto has_id = [id](const std::shared_ptr<Client>& client) { return client->id == id; };
  if (std::none_of(old->begin(), old->end(), has_id)) return false;
  auto changed = std::make_shared<State::List>();
  std::remove_copy_if(old->begin(), old->end(), std::back_inserter(*changed), has_id);
  next = std::move(changed);
  state_->publish(next);
  return true;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  const auto list = state_->get();
  for (const auto& client : *list) {
    if (client->id == id) return client;
  }
  return nullptr;
}

std::size_t ClientTable::size() const { return state_->get()->size(); }

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { return *state_->get(); }

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

namespace {

bool fatal(int error) {
  for (const int code : {WSAENOTSOCK, WSAEINVAL, WSAEOPNOTSUPP, WSANOTINITIALISED}) {
    if (error == code) return true;
  }
  return false;
}

bool short_of_something(int error) { return error == WSAEMFILE || error == WSAENOBUFS; }

PeerAddress to_peer(const sockaddr_in& from) {
  PeerAddress peer;
  char buffer[INET_ADDRSTRLEN] = "";
  if (::inet_ntop(AF_INET, &from.sin_addr, buffer, sizeof buffer) != nullptr) peer.ip = buffer;
  peer.port = ntohs(from.sin_port);
  return peer;
}

void welcome(UniqueSocket socket, const sockaddr_in& from, ClientTable& clients, AcceptEvents& events) {
  auto client = std::make_shared<Client>();
  client->socket = std::move(socket);
  client->peer = to_peer(from);
  if (clients.insert(client)) return events.on_client(client);
  client->socket.close();
  events.on_refused(client->peer);
}

}  // namespace

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  while (!stopping) {
    sockaddr_in from{};
    int size = sizeof from;
    UniqueSocket socket(::accept(listener.get(), reinterpret_cast<sockaddr*>(&from), &size));
    const int error = socket.valid() ? 0 : ::WSAGetLastError();
    if (stopping) return;
    if (socket.valid()) {
      welcome(std::move(socket), from, clients, events);
      continue;
    }
    if (fatal(error)) throw_socket_error("accept", error);
    events.on_error(error);
    if (short_of_something(error)) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

}  // namespace lab
