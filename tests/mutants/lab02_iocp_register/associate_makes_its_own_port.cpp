// Wrong: the existing port is left out, so each client gets a port of its own.
#include "iocp_register.h"

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
    HANDLE result = ::CreateIoCompletionPort(hSocket, NULL, completionKey, 0);
    if (result == NULL) {
        return false;
    }
    return true;
}

// 997 says that the receive waits for bytes; its packet comes later.
static bool is_ordered(int result) {
  if (result == 0) return true;
  return ::WSAGetLastError() == ERROR_IO_PENDING;
}

bool post_recv(RecvClient& client) {
  ZeroMemory(&client.recv_overlapped, sizeof(OVERLAPPED));
  WSABUF wb;
  wb.len = sizeof(client.recv_buffer);
  wb.buf = &client.recv_buffer[0];
  DWORD got = 0;
  DWORD flags = 0;
  return is_ordered(::WSARecv(client.socket.get(), &wb, 1, &got, &flags, &client.recv_overlapped, nullptr));
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
