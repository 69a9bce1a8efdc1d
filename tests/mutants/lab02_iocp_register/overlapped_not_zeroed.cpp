// Wrong: the OVERLAPPED is used as it is.
#include "iocp_register.h"

#include <memory>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
    HANDLE hPort = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
    if (hPort == NULL) {
        throw_socket_error("CreateIoCompletionPort", (int)::GetLastError());
    }
    return UniqueHandle(hPort);
}

bool associate(HANDLE port, const Client& client) {
  return port != nullptr && ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port,
                                                     reinterpret_cast<ULONG_PTR>(std::addressof(client)), 0) == port;
}

// 997 says that the receive waits for bytes; its packet comes later.
static bool is_ordered(int result) {
  if (result == 0) return true;
  return ::WSAGetLastError() == ERROR_IO_PENDING;
}

bool post_recv(RecvClient& client) {
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

    if (!associate(port, *c)) goto give_back;
    if (!first_recv(*c)) goto give_back;
    return true;

give_back:
    clients.erase(c->id);
    c->socket.close();
    return false;
}

}  // namespace lab
