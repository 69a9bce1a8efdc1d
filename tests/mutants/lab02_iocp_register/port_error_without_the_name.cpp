// Wrong: create_port throws a runtime_error without a code.
#include "iocp_register.h"

#include <memory>
#include <stdexcept>
#include <string>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)};
  if (port.valid()) return port;
  throw std::runtime_error("can not make the IOCP, error " + std::to_string(::GetLastError()));
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
  const bool registered = associate(port, *client) && first_recv(*client);
  if (!registered) {
    client->socket.close();
    clients.erase(client->id);
  }
  return registered;
}

}  // namespace lab
