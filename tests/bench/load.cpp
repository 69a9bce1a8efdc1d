#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace bench {
namespace {

constexpr std::size_t kMessage = 32;  // bytes

struct Client {
  int socket = -1;
  std::uint64_t sent = 0;  // also the message itself, so a wrong echo is detected
  std::chrono::steady_clock::time_point when;  // when it was sent
  std::size_t received = 0;
  unsigned char echo[kMessage];
};

void send_next(Client& client) {
  unsigned char message[kMessage] = {};
  ++client.sent;
  client.when = std::chrono::steady_clock::now();
  std::memcpy(message, &client.sent, sizeof client.sent);
  client.received = 0;
  if (::send(client.socket, message, kMessage, MSG_NOSIGNAL) != static_cast<ssize_t>(kMessage)) {
    throw std::runtime_error("the load generator could not send");
  }
}

// Reads what is available. Returns true if the echo is complete.
bool receive(Client& client) {
  const ssize_t size = ::recv(client.socket, client.echo + client.received, kMessage - client.received, 0);
  if (size <= 0) throw std::runtime_error("the server closed a connection under load");
  client.received += static_cast<std::size_t>(size);
  if (client.received < kMessage) return false;
  if (std::memcmp(client.echo, &client.sent, sizeof client.sent) != 0) throw std::runtime_error("received a wrong echo");
  return true;
}

}  // namespace

Connections::Connections(std::uint16_t port, std::size_t count) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  for (std::size_t i = 0; i < count; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0 || ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      if (socket >= 0) ::close(socket);
      close_all();
      throw std::runtime_error("connection " + std::to_string(i + 1) + " failed: " + std::strerror(errno));
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockets_.push_back(socket);
  }
}

Connections::~Connections() { close_all(); }

void Connections::close_all() {
  // Closes by reset: ten thousand connections in TIME_WAIT would leave no port for the next round.
  const linger reset{1, 0};
  for (const int socket : sockets_) {
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(socket);
  }
}

LoadResult run_load(std::uint16_t port, std::size_t connections, double seconds, const LoadWatch& watch) {
  using Clock = std::chrono::steady_clock;
  const Connections sockets(port, connections);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> clients(connections);
  for (std::size_t i = 0; i < connections; ++i) {
    clients[i].socket = sockets.sockets()[i];
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event);
    send_next(clients[i]);
  }

  // The first tenth is warm-up and does not count.
  std::vector<std::uint64_t> before;
  auto begin = Clock::now();
  const auto warm = begin + std::chrono::duration<double>(seconds / 10);
  const auto end = warm + std::chrono::duration<double>(seconds);
  epoll_event events[256];
  for (auto now = begin; now < end; now = Clock::now()) {
    if (watch.stop != nullptr && *watch.stop) break;
    if (before.empty() && now >= warm) {
      for (const Client& client : clients) before.push_back(client.sent);
      begin = now;
      if (watch.on_warm) watch.on_warm();
    }
    const int count = ::epoll_wait(poll, events, 256, 10000);
    if (count == 0) throw std::runtime_error("received no echo for ten seconds");
    for (int i = 0; i < count; ++i) {
      Client& client = clients[events[i].data.u64];
      if (!receive(client)) continue;
      if (!before.empty() && watch.on_round_trip) watch.on_round_trip(Clock::now() - client.when);
      send_next(client);
    }
  }
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  ::close(poll);
  if (before.empty()) return {};  // it was stopped

  std::vector<std::uint64_t> done;
  for (std::size_t i = 0; i < connections; ++i) done.push_back(clients[i].sent - before.at(i));
  const double sum = static_cast<double>(std::accumulate(done.begin(), done.end(), std::uint64_t{0}));
  const double slowest = static_cast<double>(*std::min_element(done.begin(), done.end()));
  return {sum / elapsed.count(), slowest * static_cast<double>(connections) / sum};
}

}  // namespace bench
