// An unwritten TODO whose exception has an empty text, which must not read as "no failure".
#define HOSTILE_IS_WHOLE
#include "accept.h"
#include "not_started.h"
namespace lab {
struct Silent : NotStarted {
  Silent() : NotStarted("") {}
  const char* what() const noexcept override { return ""; }
};
struct ClientTable::State {};
ClientTable::ClientTable(std::size_t) { throw Silent(); }
ClientTable::~ClientTable() = default;
bool ClientTable::insert(const std::shared_ptr<Client>&) { throw Silent(); }
bool ClientTable::erase(ClientId) { throw Silent(); }
std::shared_ptr<Client> ClientTable::find(ClientId) const { throw Silent(); }
std::size_t ClientTable::size() const { throw Silent(); }
std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { throw Silent(); }
UniqueSocket open_listener(std::uint16_t) { throw Silent(); }
std::uint16_t bound_port(const UniqueSocket&) { throw Silent(); }
void accept_loop(const UniqueSocket&, const std::atomic<bool>&, ClientTable&, AcceptEvents&) { throw Silent(); }
}  // namespace lab
