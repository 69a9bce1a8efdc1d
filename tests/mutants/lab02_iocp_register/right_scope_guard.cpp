// Right: a guard object gives everything back unless it is told that all went well.
#include "iocp_register.h"

#include <new>
#include <system_error>

namespace lab {

namespace {

// Undoes a registration that was not completed.
class Rollback {
 public:
  Rollback(ClientTable& clients, Client& client) : clients_(clients), client_(client), id_(client.id) {}
  ~Rollback() {
    if (!needed_) return;
    client_.socket.close();
    clients_.erase(id_);
  }
  void cancel() { needed_ = false; }

 private:
  ClientTable& clients_;
  Client& client_;
  const ClientId id_;
  bool needed_ = true;
};

bool tie(HANDLE port, SOCKET socket, ULONG_PTR key) {
  if (port == nullptr || socket == INVALID_SOCKET) return false;
  return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), port, key, 0) != nullptr;
}

}  // namespace

UniqueHandle create_port(unsigned concurrency) {
  if (UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)}; port.valid()) return port;
  const auto error = static_cast<int>(::GetLastError());
  throw std::system_error({error, std::system_category()}, "CreateIoCompletionPort");
}

bool associate(HANDLE port, const Client& client) {
  return tie(port, client.socket.get(), reinterpret_cast<ULONG_PTR>(&client));
}

bool post_recv(RecvClient& client) {
  auto* overlapped = new (&client.recv_overlapped) OVERLAPPED();  // made anew in its old place
  WSABUF room[1] = {{static_cast<ULONG>(client.recv_buffer.max_size()), client.recv_buffer.data()}};
  DWORD flags = 0;
  if (::WSARecv(client.socket.get(), room, 1, nullptr, &flags, overlapped, nullptr) != SOCKET_ERROR) return true;
  const int error = ::WSAGetLastError();
  return error == WSA_IO_PENDING;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  Rollback rollback(clients, *client);
  if (!associate(port, *client)) return false;
  if (!first_recv(*client)) return false;
  rollback.cancel();
  return true;
}

}  // namespace lab
