// Wrong: the bytes go into a local array that is gone when they come.
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
    char buffer[1024];
    wsaBuf.buf = buffer;
    wsaBuf.len = sizeof(buffer);

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
    // 1. tie it to the port
    if (!associate(port, *client)) {
        clients.erase(client->id);
        client->socket.close();
        return false;
    }
    // 2. the first receive
    if (!first_recv(*client)) {
        clients.erase(client->id);
        client->socket.close();
        return false;
    }
    return true;
}

}  // namespace lab
