// Wrong: post_recv looks into the OVERLAPPED before it zeroes it: if its Internal is STATUS_PENDING (259), it thinks that a receive is pending
// already, orders none and returns true.
// Breaks iocp_register.h: "Zeroes the OVERLAPPED first. Returns true when a completion will come"; README step 3: "what the last operation
// left there is wrong for the next". RecvClient's OVERLAPPED has no initial value, so this also reads memory that nobody wrote.
// Shows: the memory of a new client (or of a reused one) happens to hold 259 there: nothing is ordered, and the client is never heard of.

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
  if (client.recv_overlapped.Internal == STATUS_PENDING) return true;  // one is enough
  client.recv_overlapped = {};
  return ask(client.socket.get(), client.recv_buffer.data(), client.recv_buffer.size(), client.recv_overlapped) !=
         Receive::failed;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  Rollback rollback(clients, *client);
  if (!associate(port, *client)) return false;
  if (!first_recv(*client)) return false;
  return rollback.keep();
}

}  // namespace lab
