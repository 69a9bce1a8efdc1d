// Wrong: register_client does not call first_recv.
#include "iocp_register.h"

#include <cstring>

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
    WSABUF wsaBuf;
    DWORD flags = 0;
    int result;

    memset(&client.recv_overlapped, 0, sizeof(client.recv_overlapped));
    wsaBuf.buf = client.recv_buffer.data();
    wsaBuf.len = (ULONG)client.recv_buffer.size();

    result = ::WSARecv(client.socket.get(), &wsaBuf, 1, NULL, &flags, &client.recv_overlapped, NULL);
    if (result == SOCKET_ERROR) {
        if (::WSAGetLastError() != WSA_IO_PENDING) {
            return false;
        }
    }
    return true;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  const bool registered = associate(port, *client);
  (void)first_recv;  // a completion will call it
  if (!registered) {
    client->socket.close();
    clients.erase(client->id);
  }
  return registered;
}

}  // namespace lab
