// Wrong: first_recv runs on a thread of its own, which ends at once (std::async and get).
// Breaks iocp_register.h: register_client "Runs on the accept thread", and so does what it calls; the error code is per thread ("WSAGetLastError()
// tells why"), so it is lost. Microsoft on WSARecv: "All I/O initiated by a given thread is canceled when that thread exits. For overlapped
// sockets, pending asynchronous operations can fail if the thread is closed before the operations complete."
// Shows: first_recv sees another thread id; after a failure WSAGetLastError of the accept thread does not tell why.

#include "iocp_register.h"

#include <future>

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
  return ask(client.socket.get(), client.recv_buffer.data(), client.recv_buffer.size(), client.recv_overlapped) !=
         Receive::failed;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  Rollback rollback(clients, *client);
  if (!associate(port, *client)) return false;
  auto posted = std::async(std::launch::async, [&] { return first_recv(*client); });  // never blocks the accept thread
  if (!posted.get()) return false;
  return rollback.keep();
}

}  // namespace lab
