// Throws exceptions without information: of an unknown type, without a text, and the end of the thread.
#define HOSTILE_IS_WHOLE
#include <pthread.h>
#include <exception>
#include "accept.h"
namespace lab {
struct Silent : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
struct ClientTable::State {};
ClientTable::ClientTable(std::size_t size) {
  if (size % 2 == 0) throw Silent();
  ::pthread_exit(nullptr);
}
ClientTable::~ClientTable() = default;
bool ClientTable::insert(const std::shared_ptr<Client>&) { throw 0; }
bool ClientTable::erase(ClientId) { throw nullptr; }
std::shared_ptr<Client> ClientTable::find(ClientId) const { throw Silent(); }
std::size_t ClientTable::size() const { throw Silent(); }
std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { throw Silent(); }
UniqueSocket open_listener(std::uint16_t) { throw Silent(); }
std::uint16_t bound_port(const UniqueSocket&) { throw 0; }
void accept_loop(const UniqueSocket&, const std::atomic<bool>&, ClientTable&, AcceptEvents&) { throw Silent(); }
}  // namespace lab
