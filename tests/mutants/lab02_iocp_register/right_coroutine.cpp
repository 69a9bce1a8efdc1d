// Right: the registration is a coroutine that yields after each step whether it was done.
#include "iocp_register.h"

#include <algorithm>
#include <coroutine>
#include <exception>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency));
  const DWORD error = ::GetLastError();
  if (!port.valid()) throw_socket_error("CreateIoCompletionPort", static_cast<int>(error));
  return port;
}

bool associate(HANDLE port, const Client& client) {
  return port != nullptr && ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port,
                                                     reinterpret_cast<ULONG_PTR>(&client), 0) == port;
}

bool post_recv(RecvClient& client) {
  client.recv_overlapped = OVERLAPPED{};
  WSABUF buffer{static_cast<ULONG>(client.recv_buffer.size()), client.recv_buffer.data()};
  DWORD flags = 0;
  const bool at_once = ::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &client.recv_overlapped, nullptr) == 0;
  return at_once || ::WSAGetLastError() == WSA_IO_PENDING;
}

namespace {

class Steps {
 public:
  struct promise_type {
    Steps get_return_object() { return Steps(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(bool is_done) {
      done = is_done;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { throw; }
    bool done = true;
  };
  explicit Steps(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() { handle_.destroy(); }

  // Runs one step after the other. Returns whether all were done; after one that was not, no other begins.
  bool run() {
    while (handle_.promise().done && !handle_.done()) handle_.resume();
    return handle_.promise().done;
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

Steps registration(HANDLE port, Client& client, const std::function<bool(Client&)>& first_recv) {
  co_yield associate(port, client);
  co_yield first_recv(client);
}

}  // namespace

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  if (registration(port, *client, first_recv).run()) return true;
  if (clients.erase(client->id)) {
    client->socket.close();
  } else {
    client->socket = UniqueSocket();  // another thread took it out of the table; its socket may still be open
  }
  return false;
}

}  // namespace lab
