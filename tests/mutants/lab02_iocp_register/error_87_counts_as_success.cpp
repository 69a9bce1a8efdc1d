// Wrong: associate takes "tied to a port already" for good, whatever port that is.
#include "iocp_register.h"

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
    if (result == NULL && ::GetLastError() != ERROR_INVALID_PARAMETER) {
        return false;
    }
    // 87: it is registered already, that is fine
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
