// Wrong: after the receive has been ordered, post_recv asks the client whether its socket is still open, and says false if it is not.
// Breaks iocp_register.h: "Returns true when a completion will come: the call returned 0, or the error is WSA_IO_PENDING." README: between
// post_recv and the packet the client may already be handled (and gone) on the other thread.
// Shows: the socket is closed by another thread just after WSARecv (a stop, or the packet is handled at once and the client erased): false is
// returned although a packet comes, so the client is given back twice; or the client object is read after its death.

#include "iocp_register.h"

namespace lab {
namespace {

HANDLE as_handle(SOCKET socket) { return reinterpret_cast<HANDLE>(socket); }

enum class Receive { done, ordered, failed };

Receive ask(SOCKET socket, char* to, std::size_t size, OVERLAPPED& overlapped) {
  WSABUF room;
  room.len = static_cast<ULONG>(size);
  room.buf = to;
  DWORD flags = 0;
  if (::WSARecv(socket, &room, 1, nullptr, &flags, &overlapped, nullptr) != SOCKET_ERROR) return Receive::done;
  return ::WSAGetLastError() == WSA_IO_PENDING ? Receive::ordered : Receive::failed;
}

// Takes the client out of the server, unless everything went well.
class Rollback {
 public:
  Rollback(ClientTable& clients, Client& client) : clients_(clients), client_(client) {}
  ~Rollback() {
    if (kept_) return;
    clients_.erase(client_.id);
    client_.socket.close();
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  bool keep() { return kept_ = true; }

 private:
  ClientTable& clients_;
  Client& client_;
  bool kept_ = false;
};

}  // namespace

UniqueHandle create_port(unsigned concurrency) {
  const HANDLE made = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency);
  if (made == nullptr) throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
  return UniqueHandle(made);
}

bool associate(HANDLE port, const Client& client) {
  if (!port) return false;
  const HANDLE tied = ::CreateIoCompletionPort(as_handle(client.socket.get()), port, reinterpret_cast<ULONG_PTR>(&client), 0);
  return tied == port;
}

bool post_recv(RecvClient& client) {
  client.recv_overlapped = {};
  const Receive asked = ask(client.socket.get(), client.recv_buffer.data(), client.recv_buffer.size(), client.recv_overlapped);
  if (asked == Receive::ordered && !client.socket.valid()) return false;  // closed meanwhile
  return asked != Receive::failed;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  Rollback rollback(clients, *client);
  if (!associate(port, *client)) return false;
  if (!first_recv(*client)) return false;
  return rollback.keep();
}

}  // namespace lab
