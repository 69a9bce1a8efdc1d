// Wrong: WSARecv must return 0; WSA_IO_PENDING is an error.
#include "iocp_register.h"

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
  ZeroMemory(&client.recv_overlapped, sizeof(OVERLAPPED));
  WSABUF wb;
  wb.len = sizeof(client.recv_buffer);
  wb.buf = &client.recv_buffer[0];
  DWORD got = 0;
  DWORD flags = 0;
  return ::WSARecv(client.socket.get(), &wb, 1, &got, &flags, &client.recv_overlapped, nullptr) != SOCKET_ERROR;
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
