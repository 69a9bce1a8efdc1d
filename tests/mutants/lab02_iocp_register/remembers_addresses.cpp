// Wrong: associate remembers the address of each client that it has tied, to refuse a second time itself. Nobody takes the addresses out
// again, and the memory of a dead client is used for a new one.
// Breaks iocp_register.h: "Ties the client's socket to the port. Returns false when the call fails". README step 5: "the key may be an old one,
// because the memory is used again".
// Shows: a client leaves, its memory is freed, and a new client gets the same address: it is refused with 87 without a call.

#include "iocp_register.h"

#include <mutex>
#include <unordered_set>

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

std::mutex tied_mutex;  // protects `tied_clients`
std::unordered_set<const Client*> tied_clients;

}  // namespace

UniqueHandle create_port(unsigned concurrency) {
  const HANDLE made = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency);
  if (made == nullptr) throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
  return UniqueHandle(made);
}

bool associate(HANDLE port, const Client& client) {
  if (!port) return false;
  std::lock_guard lock(tied_mutex);
  if (tied_clients.count(&client) != 0) {
    ::SetLastError(ERROR_INVALID_PARAMETER);  // as the call would say
    return false;
  }
  if (::CreateIoCompletionPort(as_handle(client.socket.get()), port, reinterpret_cast<ULONG_PTR>(&client), 0) != port) {
    return false;
  }
  tied_clients.insert(&client);
  return true;
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
  if (!first_recv(*client)) return false;
  return rollback.keep();
}

}  // namespace lab
