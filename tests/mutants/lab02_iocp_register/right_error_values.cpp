// Right: inside, each call gives its error code or 0, and the four functions translate. The client is held by a copy of the
// reference until the end, and the socket is moved out of the client and closed by the destructor of a local.

#include "iocp_register.h"

#include <utility>

namespace lab {

namespace {

using Code = DWORD;
constexpr Code kFine = 0;

Code tie(HANDLE port, SOCKET socket, ULONG_PTR key) {
  const HANDLE result = ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), port, key, 0);
  return result == nullptr ? ::GetLastError() : kFine;
}

Code order(SOCKET socket, char* to, std::size_t size, OVERLAPPED& overlapped) {
  WSABUF parts[1] = {};
  parts[0].buf = to;
  parts[0].len = static_cast<ULONG>(size);
  DWORD flags = 0;
  overlapped = {};
  const int result = ::WSARecv(socket, parts, 1, nullptr, &flags, &overlapped, nullptr);
  return result == 0 ? kFine : static_cast<Code>(::WSAGetLastError());
}

}  // namespace

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port;
  port = UniqueHandle(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency));
  if (port.get() == nullptr) throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
  return port;
}

bool associate(HANDLE port, const Client& client) {
  if (!port) {
    ::SetLastError(ERROR_INVALID_PARAMETER);
    return false;
  }
  const Code code = tie(port, client.socket.get(), reinterpret_cast<ULONG_PTR>(&client));
  if (code != kFine) ::SetLastError(code);
  return code == kFine;
}

bool post_recv(RecvClient& client) {
  const Code code = order(client.socket.get(), client.recv_buffer.data(), client.recv_buffer.size(), client.recv_overlapped);
  return code == kFine || code == WSA_IO_PENDING;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  const std::shared_ptr<Client> mine = client;
  const ClientId id = mine->id;
  const bool joined = associate(port, *mine) ? first_recv(*mine) : false;
  if (!joined) {
    const UniqueSocket last = std::move(mine->socket);
    clients.erase(id);
  }
  return joined;
}

}  // namespace lab
