// Right: register_client is a table of steps (lambdas) that std::all_of runs in order and ends at the first one that fails. The OVERLAPPED is
// made anew in its place (std::construct_at). The socket goes back by moving it into a local that dies.

#include "iocp_register.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace lab {

namespace {

template <class To, class From>
To number_of(From* pointer) {
  static_assert(sizeof(To) == sizeof(From*));
  return reinterpret_cast<To>(pointer);
}

template <class Container>
WSABUF room_in(Container& container) {
  WSABUF room{};
  room.buf = std::data(container);
  room.len = static_cast<ULONG>(std::size(container));
  return room;
}

}  // namespace

UniqueHandle create_port(unsigned concurrency) {
  if (UniqueHandle port{::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, ULONG_PTR{0}, concurrency)}; port.valid()) {
    return port;
  }
  throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
}

bool associate(HANDLE port, const Client& client) {
  const auto tie = [&] {
    return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(client.socket.get()), port, number_of<ULONG_PTR>(&client), 0);
  };
  return port != nullptr && tie() == port;
}

bool post_recv(RecvClient& client) {
  OVERLAPPED* const overlapped = std::construct_at(&client.recv_overlapped, OVERLAPPED{});
  WSABUF room = room_in(client.recv_buffer);
  DWORD no_flags{};
  if (::WSARecv(client.socket.get(), &room, 1u, nullptr, &no_flags, overlapped, nullptr) == 0) return true;
  return ::WSAGetLastError() == WSA_IO_PENDING;
}

bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  const std::array<std::function<bool()>, 2> steps{
      [&] { return associate(port, *client); },
      [&] { return first_recv(*client); },
  };
  if (std::all_of(steps.begin(), steps.end(), [](const auto& step) { return step(); })) return true;

  clients.erase(client->id);
  const UniqueSocket last(std::move(client->socket));  // closed here, whoever else holds the client
  return false;
}

}  // namespace lab
