// Right: register_client runs on the accept thread alone, so it keeps its steps in a static list, which is used again.
#include "iocp_register.h"

#include <vector>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)};
  if (port.valid()) return port;
  throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
}

bool associate(HANDLE port, const Client& client) {
  if (port == nullptr) return false;
  return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port, reinterpret_cast<ULONG_PTR>(&client), 0) != nullptr;
}

bool post_recv(RecvClient& client) {
  client.recv_overlapped = {};
  WSABUF buffer;
  buffer.buf = client.recv_buffer.data();
  buffer.len = static_cast<ULONG>(client.recv_buffer.size());
  DWORD flags = 0;
  if (::WSARecv(client.socket.get(), &buffer, 1, nullptr, &flags, &client.recv_overlapped, nullptr) == 0) return true;
  return ::WSAGetLastError() == WSA_IO_PENDING;
}

namespace {

enum class Step { associate, receive };

// What is still to be done for the client that is being registered.
std::vector<Step> to_do;

}  // namespace

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  to_do.assign({Step::receive, Step::associate});
  while (!to_do.empty()) {
    const Step step = to_do.back();
    if (step == Step::associate ? !associate(port, *client) : !first_recv(*client)) break;
    to_do.pop_back();
  }
  if (to_do.empty()) return true;
  clients.erase(client->id);
  client->socket.close();
  return false;
}

}  // namespace lab
