// Wrong: the key is the address of the member `socket`, not of the client.
#include "iocp_register.h"

#include <cstring>
#include <memory>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)};
  if (port.valid()) return port;
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), "CreateIoCompletionPort");
}

bool associate(HANDLE port, const Client& client) {
  return port != nullptr && ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port,
                                                     reinterpret_cast<ULONG_PTR>(std::addressof(client.socket)), 0) == port;
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
