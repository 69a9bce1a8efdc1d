#include "iocp_register.h"

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency));
  if (!port.valid()) throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
  return port;
}

bool associate(HANDLE port, const Client& client) {
  if (port == nullptr) return false;  // the call would create a new port, which no thread waits on
  const auto socket = reinterpret_cast<HANDLE>(client.socket.get());
  const auto key = reinterpret_cast<ULONG_PTR>(&client);
  return ::CreateIoCompletionPort(socket, port, key, 0) == port;
}

bool post_recv(RecvClient& client) {
  client.recv_overlapped = OVERLAPPED{};
  WSABUF room{static_cast<ULONG>(client.recv_buffer.size()), client.recv_buffer.data()};
  DWORD flags = 0;
  const int result =
      ::WSARecv(client.socket.get(), &room, 1, nullptr, &flags, &client.recv_overlapped, nullptr);
  return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  if (associate(port, *client) && first_recv(*client)) return true;
  clients.erase(client->id);
  client->socket.close();
  return false;
}

}  // namespace lab
