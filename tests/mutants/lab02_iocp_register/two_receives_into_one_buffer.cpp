// Wrong: post_recv calls WSARecv twice, so that one is always pending.
#include "iocp_register.h"

#include <cstring>

namespace lab {

UniqueHandle create_port(unsigned concurrency) {
    HANDLE hPort = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
    if (hPort == NULL) {
        throw_socket_error("CreateIoCompletionPort", (int)::GetLastError());
    }
    return UniqueHandle(hPort);
}

bool associate(HANDLE port, const Client& client) {
    // without a port the call would make a new one
    if (port == NULL) {
        return false;
    }
    HANDLE hSocket = (HANDLE)client.socket.get();
    ULONG_PTR completionKey = (ULONG_PTR)&client;
    HANDLE result = ::CreateIoCompletionPort(hSocket, port, completionKey, 0);
    if (result == NULL) {
        return false;
    }
    return true;
}

bool post_recv(RecvClient& client) {
    WSABUF wsaBuf;
    DWORD flags = 0;
    int result;

    memset(&client.recv_overlapped, 0, sizeof(client.recv_overlapped));
    wsaBuf.buf = client.recv_buffer.data();
    wsaBuf.len = (ULONG)client.recv_buffer.size();

    // one for now and one for later, so that a receive is pending at all times
    ::WSARecv(client.socket.get(), &wsaBuf, 1, NULL, &flags, &client.recv_overlapped, NULL);
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
    if (!first_recv(*c)) goto give_back;
    return true;

give_back:
    clients.erase(c->id);
    c->socket.close();
    return false;
}

}  // namespace lab
