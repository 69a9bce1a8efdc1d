// Right: the table is an actor. One jthread owns the clients; all functions send it a job and wait for the answer.
#include "accept.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace lab {

struct ClientTable::State {
  using Clients = std::map<ClientId, std::shared_ptr<Client>>;

  explicit State(std::size_t max) : limit(max) {}
  ~State() {
    {
      std::lock_guard guard(mutex);
      closed = true;
    }
    changed.notify_one();
  }

  template <class F>
  auto ask(F job) -> decltype(job(std::declval<State&>())) {
    using R = decltype(job(std::declval<State&>()));
    auto task = std::make_shared<std::packaged_task<R()>>([this, job = std::move(job)]() mutable { return job(*this); });
    auto answer = task->get_future();
    {
      std::lock_guard guard(mutex);
      jobs.emplace_back([task] { (*task)(); });
    }
    changed.notify_one();
    task.reset();
    return answer.get();
  }

  void serve() {
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock guard(mutex);
        changed.wait(guard, [this] { return closed || !jobs.empty(); });
        if (jobs.empty()) return;
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      job();
    }
  }

  const std::size_t limit;
  Clients clients;         // used by the actor only
  ClientId newest = 0;     // used by the actor only
  std::mutex mutex;        // protects the two that follow
  std::deque<std::function<void()>> jobs;
  bool closed = false;
  std::condition_variable changed;
  std::jthread actor{[this] { serve(); }};  // last: it is joined before the other members are destroyed
};

ClientTable::ClientTable(std::size_t max_clients) : state_(std::make_unique<State>(max_clients)) {}
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) {
  return state_->ask([client = std::shared_ptr<Client>(client)](State& s) mutable {
    const bool room = s.clients.size() < s.limit;
    if (room) {
      client->id = ++s.newest;
      s.clients.emplace(client->id, client);
    }
    client.reset();  // the job may be destroyed after the answer was sent
    return room;
  });
}

bool ClientTable::erase(ClientId id) {
  // The answer is the client itself: its destructor runs on the calling thread, not in the actor.
  return state_->ask([id](State& s) -> std::shared_ptr<Client> {
    const auto at = s.clients.find(id);
    if (at == s.clients.end()) return nullptr;
    std::shared_ptr<Client> gone = std::move(at->second);
    s.clients.erase(at);
    return gone;
  }) != nullptr;
}

std::shared_ptr<Client> ClientTable::find(ClientId id) const {
  return state_->ask([id](State& s) -> std::shared_ptr<Client> {
    const auto at = s.clients.find(id);
    return at == s.clients.end() ? nullptr : at->second;
  });
}

std::size_t ClientTable::size() const {
  return state_->ask([](State& s) { return s.clients.size(); });
}

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const {
  return state_->ask([](State& s) {
    std::vector<std::shared_ptr<Client>> all;
    for (auto& entry : s.clients) all.push_back(entry.second);
    return all;
  });
}

UniqueSocket open_listener(std::uint16_t port) {
  UniqueSocket s{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  if (!s.valid()) throw_socket_error("socket");
  const auto must = [](int result, const char* name) {
    if (result == SOCKET_ERROR) throw_socket_error(name);
  };
  const int one = 1;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  must(::setsockopt(s.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&one), sizeof one), "setsockopt");
  must(::bind(s.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind");
  must(::listen(s.get(), SOMAXCONN), "listen");
  return s;
}

std::uint16_t bound_port(const UniqueSocket& socket) {
  sockaddr_in name{};
  int size = sizeof name;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) throw_socket_error("getsockname");
  return ntohs(name.sin_port);
}

void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  for (;;) {
    sockaddr_in from{};
    int size = sizeof from;
    UniqueSocket one{::accept(listener.get(), reinterpret_cast<sockaddr*>(&from), &size)};
    const int error = one.valid() ? 0 : ::WSAGetLastError();
    if (stopping.load()) return;
    switch (error) {
      case 0: {
        auto client = events.make_client();
        char text[INET_ADDRSTRLEN] = "";
        ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
        client->peer.ip = text;
        client->peer.port = ntohs(from.sin_port);
        client->socket = std::move(one);
        const bool in = clients.insert(client);
        if (!in) client->socket.close();
        in ? events.on_client(client) : events.on_refused(client->peer);
        break;
      }
      case WSAENOTSOCK:
      case WSAEINVAL:
      case WSAEOPNOTSUPP:
      case WSANOTINITIALISED:
        throw_socket_error("accept", error);
      case WSAEMFILE:
      case WSAENOBUFS:
        events.on_error(error);
        std::this_thread::sleep_for(std::chrono::milliseconds(4));
        break;
      default:
        events.on_error(error);
    }
  }
}

}  // namespace lab
