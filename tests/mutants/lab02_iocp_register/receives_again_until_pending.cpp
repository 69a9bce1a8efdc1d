// Wrong: after an immediate success post_recv posts once more, until it is pending.
#include "iocp_register.h"

#include <iterator>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)};
  if (port.valid()) return port;
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), "CreateIoCompletionPort");
}

bool associate(HANDLE port, const Client& client) {
    // without a port the call would make a new one
    if (port == NULL) {
        return false;
    }
    HANDLE hSocket = (HANDLE)client.socket.get();
    ULONG_PTR completionKey = (ULONG_PTR)&client;
    HANDLE result = ::CreateIoCompletionPort(hSocket, port, completionKey, 0);
    if (result == NULL) {
        return false;
    }
    return true;
}

bool post_recv(RecvClient& client) {
  OVERLAPPED& overlapped = client.recv_overlapped;
  overlapped = {};
  DWORD flags{};
  WSABUF buffer{static_cast<ULONG>(std::size(client.recv_buffer)), std::data(client.recv_buffer)};
  // take what is there, then wait for more
  while (::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr) == 0) {
  }
  switch (::WSAGetLastError()) {
    case WSA_IO_PENDING:
      return true;
    default:
      return false;
  }
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  const bool registered = associate(port, *client) && first_recv(*client);
  if (!registered) {
    client->socket.close();
    clients.erase(client->id);
  }
  return registered;
}

}  // namespace lab
