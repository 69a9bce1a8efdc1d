// Wrong: when WSARecv returned 0, post_recv says that no completion will come.
#include "iocp_register.h"

#include <iterator>
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

bool post_recv(RecvClient& client) {
  OVERLAPPED& overlapped = client.recv_overlapped;
  overlapped = {};
  DWORD flags{};
  WSABUF buffer{static_cast<ULONG>(std::size(client.recv_buffer)), std::data(client.recv_buffer)};
  if (::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr) == 0) return false;  // it is done, nothing is pending
  switch (::WSAGetLastError()) {
    case WSA_IO_PENDING:
      return true;
    default:
      return false;
  }
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
