// Lab 2: you write this file. iocp_register.h says what each function must do; README.md leads you through the steps.
#include "iocp_register.h"

#include "not_started.h"

namespace lab {

// TODO 1: a new completion port.
UniqueHandle create_port(unsigned concurrency) { not_started("lab02 TODO 1", concurrency); }

// TODO 2: associate the socket with the port. What is the key?
bool associate(HANDLE port, const Client& client) { not_started("lab02 TODO 2", port, client); }

// TODO 3: one receive. Zero the OVERLAPPED; tell "pending" from "failed".
bool post_recv(RecvClient& client) { not_started("lab02 TODO 3", client); }

// TODO 4: associate, then receive; on failure undo everything.
bool register_client(HANDLE port, ClientTable& clients, const std::shared_ptr<Client>& client,
                     const std::function<bool(Client&)>& first_recv) {
  not_started("lab02 TODO 4", port, clients, client, first_recv);
}

}  // namespace lab
