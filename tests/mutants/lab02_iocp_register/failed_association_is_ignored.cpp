// Wrong: associate does not look at the result of the call.
#include "iocp_register.h"

#include <iterator>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
    HANDLE hPort = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
    if (hPort == NULL) {
        throw_socket_error("CreateIoCompletionPort", (int)::GetLastError());
    }
    return UniqueHandle(hPort);
}

bool associate(HANDLE port, const Client& client) {
    // without a port the call would make a new one
    if (port == NULL) {
        return false;
    }
    HANDLE hSocket = (HANDLE)client.socket.get();
    ULONG_PTR completionKey = (ULONG_PTR)&client;
    ::CreateIoCompletionPort(hSocket, port, completionKey, 0);
    return true;
}

bool post_recv(RecvClient& client) {
  OVERLAPPED& overlapped = client.recv_overlapped;
  overlapped = {};
  DWORD flags{};
  WSABUF buffer{static_cast<ULONG>(std::size(client.recv_buffer)), std::data(client.recv_buffer)};
  if (::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr) == 0) return true;
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
