// Wrong: the length is the size of the pointer.
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
                                                     reinterpret_cast<ULONG_PTR>(std::addressof(client)), 0) == port;
}

bool post_recv(RecvClient& client) {
    WSABUF wsaBuf;
    DWORD flags = 0;
    int result;

    memset(&client.recv_overlapped, 0, sizeof(client.recv_overlapped));
    wsaBuf.buf = client.recv_buffer.data();
    wsaBuf.len = sizeof(client.recv_buffer.data());

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
  const bool registered = associate(port, *client) && first_recv(*client);
  if (!registered) {
    client->socket.close();
    clients.erase(client->id);
  }
  return registered;
}

}  // namespace lab
