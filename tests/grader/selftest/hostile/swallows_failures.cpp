// Catches every failure of the tests' own functions, which an empty table calls.
#define HOSTILE_IS_WHOLE
#include "accept.h"
namespace lab {
template <class Call>
static void quietly(Call call) {
  try {
    call();
  } catch (...) {
  }
}
struct ClientTable::State {};
ClientTable::ClientTable(std::size_t) {}
ClientTable::~ClientTable() = default;
bool ClientTable::insert(const std::shared_ptr<Client>&) { return false; }
bool ClientTable::erase(ClientId) { return false; }
std::shared_ptr<Client> ClientTable::find(ClientId) const { return nullptr; }
std::size_t ClientTable::size() const { return 77; }
std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { return {}; }
UniqueSocket open_listener(std::uint16_t) { return {}; }
std::uint16_t bound_port(const UniqueSocket&) { return 0; }
void accept_loop(const UniqueSocket&, const std::atomic<bool>&, ClientTable&, AcceptEvents& events) {
  for (int i = 0; i < 10; ++i) {
    quietly([&] { events.on_error(0); });
    quietly([&] { events.make_client(); });
  }
}
}  // namespace lab
