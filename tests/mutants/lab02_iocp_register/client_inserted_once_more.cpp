// Wrong: register_client inserts the client into the table, where it already is.
#include "iocp_register.h"

#include <iterator>
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
  OVERLAPPED& overlapped = client.recv_overlapped;
  overlapped = {};
  DWORD flags{};
  WSABUF buffer{static_cast<ULONG>(std::size(client.recv_buffer)), std::data(client.recv_buffer)};
  if (::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr) == 0) return true;
  switch (::WSAGetLastError()) {
    case WSA_IO_PENDING:
      return true;
    default:
      return false;
  }
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  clients.insert(client);
  const bool registered = associate(port, *client) && first_recv(*client);
  if (!registered) {
    client->socket.close();
    clients.erase(client->id);
  }
  return registered;
}

}  // namespace lab
