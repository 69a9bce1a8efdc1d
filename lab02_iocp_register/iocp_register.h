// Lab 2: the completion port, and a client's registration with it. (Notes N1, N2, N3, N4, N6)
//
// You write iocp_register.cpp. The functions below are its contract.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "accept.h"
#include "unique_handle.h"

namespace lab {

// Creates a completion port. At most `concurrency` threads run on it at once; 0 means one per processor.
// Throws std::system_error("CreateIoCompletionPort").
// Page: CreateIoCompletionPort, with INVALID_HANDLE_VALUE for the file and NULL for the existing port.
UniqueHandle create_port(unsigned concurrency);

// Associates the client's socket with the port. The port then delivers each completion of this socket with the
// completion key: the address of the client object (N6), which does not move as long as the client lives.
// Returns false if the call fails; GetLastError() returns the reason (87: already associated with a port).
// The port is unchanged then: a failed call returns NULL, which must not replace the port's handle. Refuses a null
// `port`, for which the call would create a new port.
// Page: CreateIoCompletionPort, with an existing port.
bool associate(HANDLE port, const Client& client);

// Returns the client for a completion key that associate() set.
inline Client& client_from_key(ULONG_PTR key) { return *reinterpret_cast<Client*>(key); }

// A client of lab 2: it has the OVERLAPPED and the buffer of one receive. (From lab 3 on, both are in the operation.)
//
// While a receive is pending, the system owns `recv_overlapped` and `recv_buffer`: do not touch them, and keep the
// client alive, until the port has delivered the completion.
struct RecvClient : Client {
  OVERLAPPED recv_overlapped;
  std::array<char, 1024> recv_buffer;
};

// Posts a receive of this client's next bytes into its own buffer. Zeroes the OVERLAPPED first.
// Returns true if a completion will come: the call returned 0, or the error is WSA_IO_PENDING. (The completion of a
// receive that succeeds at once is queued to the port like any other.) Returns false if no completion will come;
// WSAGetLastError() returns the reason.
// REQUIRES: the socket is associated with a port, and no receive of this client is pending.
// Page: WSARecv.
bool post_recv(RecvClient& client);

// Registers a client with the server (N2): associates it with the port, then posts its first receive, in this order.
// `first_recv` posts that receive and returns false if it could not.
// Returns true if both succeed. On any failure it releases what the client had: it removes the client from the table,
// closes the socket, and returns false.
// REQUIRES: the client is in `clients`. Runs on the accept thread. The port may deliver a completion to another thread
// before this function has returned.
bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv);

}  // namespace lab
