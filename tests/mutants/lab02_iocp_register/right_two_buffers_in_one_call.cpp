// Right: one receive into two WSABUFs, the halves of the buffer; its OVERLAPPED is zeroed field by field.
#include "iocp_register.h"

#include <memory>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
    HANDLE hPort = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
    if (hPort == NULL) {
        throw_socket_error("CreateIoCompletionPort", (int)::GetLastError());
    }
    return UniqueHandle(hPort);
}

bool associate(HANDLE port, const Client& client) {
  return port != nullptr && ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port,
                                                     reinterpret_cast<ULONG_PTR>(std::addressof(client)), 0) == port;
}

bool post_recv(RecvClient& client) {
    WSABUF halves[2];
    DWORD flags = 0;
    int result;

    client.recv_overlapped.Internal = 0;
    client.recv_overlapped.InternalHigh = 0;
    client.recv_overlapped.Offset = 0;
    client.recv_overlapped.OffsetHigh = 0;
    client.recv_overlapped.hEvent = NULL;

    const size_t half = client.recv_buffer.size() / 2;
    halves[0].buf = client.recv_buffer.data();
    halves[0].len = (ULONG)half;
    halves[1].buf = client.recv_buffer.data() + half;
    halves[1].len = (ULONG)(client.recv_buffer.size() - half);

    result = ::WSARecv(client.socket.get(), halves, 2, NULL, &flags, &client.recv_overlapped, NULL);
    if (result == SOCKET_ERROR) {
        if (::WSAGetLastError() != WSA_IO_PENDING) {
            return false;
        }
    }
    return true;
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
