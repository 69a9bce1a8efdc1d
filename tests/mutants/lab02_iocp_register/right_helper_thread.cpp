// Right: a helper thread associates the socket, and a latch tells when it has; the receive is posted by the accept thread.
#include "iocp_register.h"

#include <latch>
#include <thread>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  HANDLE made = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
  if (made == NULL) {
    const DWORD error = ::GetLastError();
    throw std::system_error(static_cast<int>(error), std::system_category(), "CreateIoCompletionPort");
  }
  return UniqueHandle(made);
}

bool associate(HANDLE port, const Client& client) {
  if (!port) {
    ::SetLastError(ERROR_INVALID_HANDLE);
    return false;
  }
  const auto key = reinterpret_cast<ULONG_PTR>(std::addressof(client));
  return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port, key, 0) == port;
}

bool post_recv(RecvClient& client) {
  ::ZeroMemory(&client.recv_overlapped, sizeof client.recv_overlapped);
  WSABUF into{};
  into.len = sizeof client.recv_buffer;
  into.buf = client.recv_buffer.data();
  DWORD flags = 0;
  switch (::WSARecv(client.socket.get(), &into, 1, nullptr, &flags, &client.recv_overlapped, nullptr)) {
    case 0: return true;
    default: return ::WSAGetLastError() == WSA_IO_PENDING;
  }
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  bool associated = false;
  std::latch done(1);
  const std::jthread helper([&] {
    associated = associate(port, *client);
    done.count_down();
  });
  done.wait();
  const bool registered = associated && first_recv(*client);
  if (!registered) {
    clients.erase(client->id);
    client->socket.close();
  }
  return registered;
}

}  // namespace lab
