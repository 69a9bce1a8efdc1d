// Lab 1: you write this file. accept.h says what each function must do; README.md leads you through the steps.
#include "accept.h"

#include "not_started.h"

namespace lab {

// TODO 1: the state of the table. You need the limit, the clients by id, the last id, and something that protects them.
struct ClientTable::State {};

// TODO 2: the table.
ClientTable::ClientTable(std::size_t max_clients) { not_started("lab01 TODO 2", max_clients); }
ClientTable::~ClientTable() = default;

bool ClientTable::insert(const std::shared_ptr<Client>& client) { not_started("lab01 TODO 2", client); }

bool ClientTable::erase(ClientId id) { not_started("lab01 TODO 2", id); }

std::shared_ptr<Client> ClientTable::find(ClientId id) const { not_started("lab01 TODO 2", id); }

std::size_t ClientTable::size() const { not_started("lab01 TODO 2"); }

std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { not_started("lab01 TODO 2"); }

// TODO 3: socket, setsockopt, bind, listen.
UniqueSocket open_listener(std::uint16_t port) { not_started("lab01 TODO 3", port); }

// TODO 4: getsockname. Remember the byte order.
std::uint16_t bound_port(const UniqueSocket& socket) { not_started("lab01 TODO 4", socket); }

// TODO 5: the accept loop. Begin with the successful case, then add: full table, errors, stopping.
void accept_loop(const UniqueSocket& listener, const std::atomic<bool>& stopping, ClientTable& clients,
                 AcceptEvents& events) {
  not_started("lab01 TODO 5", listener, stopping, clients, events);
}

}  // namespace lab
