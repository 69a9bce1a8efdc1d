// Wrong: the first receive is posted before the socket is tied to the port.
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
    // 1. the first receive, so that no byte is lost
    if (!first_recv(*client)) {
        clients.erase(client->id);
        client->socket.close();
        return false;
    }
    // 2. tie it to the port
    if (!associate(port, *client)) {
        clients.erase(client->id);
        client->socket.close();
        return false;
    }
    return true;
}

}  // namespace lab
