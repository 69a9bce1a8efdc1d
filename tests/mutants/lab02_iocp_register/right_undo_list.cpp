// Right: a list of what is to be undone, which runs backwards unless the registration is kept. The receive is a lambda with a
// do-while(false). Numbers are looked at with the macros of Windows alone.

#include "iocp_register.h"

#include <vector>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
  if (HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)) return UniqueHandle{port};
  throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
}

bool associate(HANDLE port, const Client& client) {
  return port != nullptr && ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port,
                                                     reinterpret_cast<ULONG_PTR>(&client), 0) != nullptr;
}

bool post_recv(RecvClient& client) {
  const auto go = [&client] {
    OVERLAPPED* const overlapped = &client.recv_overlapped;
    overlapped->Internal = overlapped->InternalHigh = 0;
    overlapped->Offset = overlapped->OffsetHigh = 0;
    overlapped->hEvent = nullptr;
    DWORD flags{};
    WSABUF whole{};
    whole.len = ULONG{1024};
    whole.buf = client.recv_buffer.data();
    return ::WSARecv(client.socket.get(), &whole, 1, nullptr, &flags, overlapped, nullptr);
  };
  bool comes = false;
  do {
    if (go() != SOCKET_ERROR) comes = true;
    else if (::WSAGetLastError() == ERROR_IO_PENDING) comes = true;
  } while (false);
  return comes;
}

namespace {

class UndoList {
 public:
  ~UndoList() {
    while (!steps_.empty()) {
      steps_.back()();
      steps_.pop_back();
    }
  }
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void forget() { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  UndoList undo;
  undo.add([&] { client->socket.close(); });
  undo.add([&clients, id = client->id] { clients.erase(id); });
  for (const auto& step : {std::function<bool()>([&] { return associate(port, *client); }),
                           std::function<bool()>([&] { return first_recv(*client); })}) {
    if (!step()) return false;
  }
  undo.forget();
  return true;
}

}  // namespace lab
