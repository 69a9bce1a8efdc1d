// Lab 02: the completion port, and a client's registration with it. (Notes N1, N2, N3, N4, N6)
//
// You write iocp_register.cpp. The functions below are its contract.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "accept.h"
#include "unique_handle.h"

namespace lab {

// A new completion port. At most `concurrency` threads run on it at once; 0 means one per processor.
// Throws std::system_error("CreateIoCompletionPort").
// Page: CreateIoCompletionPort, with INVALID_HANDLE_VALUE for the file and NULL for the existing port.
UniqueHandle create_port(unsigned concurrency);

// Ties the client's socket to the port. From then on, each completion of this socket comes out of the port and carries
// the completion key: the address of the client object (N6), which does not move as long as the client lives.
// Returns false when the call fails; GetLastError() tells why (87: this socket is tied to a port already). The port
// is unchanged then: a failed call returns NULL, which must not replace the port's handle. Refuses a null `port`, for
// which the call would make a new port.
// Page: CreateIoCompletionPort, with an existing port.
bool associate(HANDLE port, const Client& client);

// The client behind a completion key that associate() gave.
inline Client& client_from_key(ULONG_PTR key) { return *reinterpret_cast<Client*>(key); }

// A client of lab 2: it has room for one receive. (From lab 3 on, that room moves into the operation.)
//
// While a receive is pending, the system owns `recv_overlapped` and `recv_buffer`: nobody touches them, and the client
// must live, until the completion has come out of the port.
struct RecvClient : Client {
  OVERLAPPED recv_overlapped;
  std::array<char, 1024> recv_buffer;
};

// Asks for the next bytes of this client, into its own buffer. Zeroes the OVERLAPPED first.
// Returns true when a completion will come: the call returned 0, or the error is WSA_IO_PENDING. (A receive that
// succeeds at once is queued to the port like any other.) Returns false when no completion will come;
// WSAGetLastError() tells why.
// REQUIRES: the socket is associated with a port, and no receive of this client is pending.
// Page: WSARecv.
bool post_recv(RecvClient& client);

// What makes a client part of the server (N2): associate it with the port, then post its first receive, in this order.
// `first_recv` posts that receive and returns false when it could not.
// Returns true when both are done. On any failure it gives back what the client had: it takes the client out of the
// table, closes the socket, and returns false.
// REQUIRES: the client is in `clients`. Runs on the accept thread. A completion may come out of the port, on another
// thread, before this function has returned.
bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv);

}  // namespace lab
