// Handles every signal by ending the process with code 0, then crashes.
#define HOSTILE_IS_WHOLE
#include <csignal>
#include <cstdlib>
#include "accept.h"
static const bool handled = [] {
  for (int number = 1; number < 65; ++number) std::signal(number, [](int) { std::exit(0); });
  return true;
}();
namespace lab {
static void crash() { *reinterpret_cast<volatile int*>(8) = 1; }
struct ClientTable::State {};
ClientTable::ClientTable(std::size_t) { crash(); }
ClientTable::~ClientTable() = default;
bool ClientTable::insert(const std::shared_ptr<Client>&) { return true; }
bool ClientTable::erase(ClientId) { return true; }
std::shared_ptr<Client> ClientTable::find(ClientId) const { return nullptr; }
std::size_t ClientTable::size() const { return 0; }
std::vector<std::shared_ptr<Client>> ClientTable::snapshot() const { return {}; }
UniqueSocket open_listener(std::uint16_t) { crash(); return {}; }
std::uint16_t bound_port(const UniqueSocket&) { return 0; }
void accept_loop(const UniqueSocket&, const std::atomic<bool>&, ClientTable&, AcceptEvents&) { crash(); }
}  // namespace lab
