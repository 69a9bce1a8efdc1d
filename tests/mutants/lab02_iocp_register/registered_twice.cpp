// Wrong: register_client ties the socket by itself and then calls associate, which fails with 87.
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
    HANDLE result = ::CreateIoCompletionPort(hSocket, port, completionKey, 0);
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
    Client* c = client.get();

    CreateIoCompletionPort((HANDLE)c->socket.get(), port, (ULONG_PTR)c, 0);
    if (!associate(port, *c)) goto give_back;
    if (!first_recv(*c)) goto give_back;
    return true;

give_back:
    clients.erase(c->id);
    c->socket.close();
    return false;
}

}  // namespace lab
