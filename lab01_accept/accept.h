// Lab 1: the accept thread and the table of clients. (Notes N2, N5)
//
// You write accept.cpp. The functions below are its contract.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "handles.h"

namespace lab {

using ClientId = std::uint32_t;

// The address of the peer.
struct PeerAddress {
  std::string ip;          // "127.0.0.1"
  std::uint16_t port = 0;  // in host byte order
};

// What the server stores about one client (N5). Later labs derive from it and add to it.
//
// Lifetime: a shared_ptr. The table holds one reference, every pending operation another (from lab 3 on), so the
// object lives until all are released. The socket is closed at the latest then.
struct Client {
  ClientId id = 0;      // assigned by ClientTable::insert; 0 means "not in a table yet"
  UniqueSocket socket;  // the connection
  PeerAddress peer;     // set before the client enters the table, constant from then on

  Client() = default;
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
};

// All connected clients, by id.
//
// Threads: any thread may call any function at any time. How to protect the table is your choice: define
// `struct ClientTable::State { ... };` in accept.cpp with everything you need. A thread that the table starts ends with
// the table at the latest; one that another function starts ends before that function returns.
// A function that finds no memory throws std::bad_alloc and leaves no lock behind.
class ClientTable {
 public:
  // Creates an empty table for at most `max_clients` clients; SIZE_MAX means no limit. A table that allocates for all
  // of them at once may throw std::bad_alloc.
  explicit ClientTable(std::size_t max_clients);
  ~ClientTable();

  // Assigns the client its id and adds it to the table. Ids count up from 1, and no id is ever assigned twice, not even
  // after its client has left. Returns false if the table is full; the client is then unchanged.
  // REQUIRES: the client is not in a table.
  bool insert(const std::shared_ptr<Client>& client);

  // Removes a client. Returns true to the one caller that removed it, or false if the id is not in the table.
  // Does not close the socket: other references may still use the client. If the table had the last reference, the
  // client is destroyed without a lock: its destructor may call the table's functions.
  bool erase(ClientId id);

  // Returns the client with this id, or null.
  std::shared_ptr<Client> find(ClientId id) const;

  // Returns the number of clients in the table.
  std::size_t size() const;

  // Returns all clients that are in the table now, in the order of their ids.
  std::vector<std::shared_ptr<Client>> snapshot() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Returns a listening TCP socket on every local IPv4 address. `port` is in host byte order; 0: the system chooses one.
// No other socket may listen on the same port (SO_EXCLUSIVEADDRUSE). The backlog is SOMAXCONN.
// Throws std::system_error with the name of the call that failed: "socket", "setsockopt", "bind" or "listen".
// Pages: socket, setsockopt, bind, listen.
UniqueSocket open_listener(std::uint16_t port);

// Returns the port that a socket is bound to, in host byte order. Throws std::system_error("getsockname").
std::uint16_t bound_port(const UniqueSocket& socket);

// How accept_loop reports to the rest of the server. All functions are called on the accept thread.
class AcceptEvents {
 public:
  virtual ~AcceptEvents() = default;
  // Returns a new client object, without a socket or an id. Later labs return their own kind of client.
  virtual std::shared_ptr<Client> make_client() { return std::make_shared<Client>(); }
  // The client has its socket, its peer and its id, and is in the table.
  virtual void on_client(const std::shared_ptr<Client>& client) = 0;
  // The table was full. The socket of this peer is closed, or closes right after this call.
  virtual void on_refused(const PeerAddress& peer) = 0;
  // accept failed with this code, and the loop continues.
  virtual void on_error(int error) = 0;
};

// The accept thread (N2). Runs on the calling thread until `stopping` is true:
//
//   accept -> make_client -> give it the socket and the peer -> insert -> on_client
//                                                                 \-> full: close the socket, on_refused
//
// Another thread or an event ends the loop. It sets `stopping`, then closes `listener`; accept then fails. That failure
// is not an error, and a connection that still arrives is closed: once `stopping` is set, the loop calls nothing and
// returns.
//
// An error of accept affects one connection, not the server: WSAECONNRESET (the client left before it was accepted),
// WSAEMFILE and WSAENOBUFS (temporarily too many sockets or too little memory), WSAEINTR, WSAENETDOWN and the like.
// Call on_error and continue. If the system is short of sockets or memory, the connection is still waiting, so wait
// a few milliseconds before the next attempt; otherwise the loop uses a whole core.
// Four codes mean that the listening socket itself is unusable: WSAENOTSOCK, WSAEINVAL, WSAEOPNOTSUPP,
// WSANOTINITIALISED. If one occurs and `stopping` is false, throw std::system_error("accept").
// What an event throws is not caught here: it also ends the loop. A connection that is not yet in the table is then
// closed, even if on_refused throws and others hold the client.
// Page: accept.
void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events);

}  // namespace lab
