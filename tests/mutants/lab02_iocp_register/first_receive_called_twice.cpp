// Wrong: first_recv is called to try it and then once more.
#include "iocp_register.h"

#include <cstring>
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
    WSABUF wsaBuf;
    DWORD flags = 0;
    int result;

    memset(&client.recv_overlapped, 0, sizeof(client.recv_overlapped));
    wsaBuf.buf = client.recv_buffer.data();
    wsaBuf.len = (ULONG)client.recv_buffer.size();

    result = ::WSARecv(client.socket.get(), &wsaBuf, 1, NULL, &flags, &client.recv_overlapped, NULL);
    if (result == SOCKET_ERROR) {
        if (::WSAGetLastError() != WSA_IO_PENDING) {
            return false;
        }
    }
    return true;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
    Client* c = client.get();

    if (!associate(port, *c)) goto give_back;
    if (!first_recv(*c) && !first_recv(*c)) goto give_back;
    if (!first_recv(*c)) goto give_back; /* keep one in reserve */
    return true;

give_back:
    clients.erase(c->id);
    c->socket.close();
    return false;
}

}  // namespace lab
