// Given: the game as a handler: bytes to packets, packets to the world, the world's changes to the clients.
#pragma once

#include <atomic>

#include "world.h"

namespace lab {

class GameHandler : public Handler {
 public:
  explicit GameHandler(World& world) : world_(world) {}

  bool on_recv(Server& server, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) override;
  void on_sent(Server& server, const std::shared_ptr<Connection>& connection, std::size_t size) override;
  void on_disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) override;

  std::uint64_t packets() const { return packets_; }
  void print_summary() const;

 private:
  World& world_;
  std::atomic<std::uint64_t> packets_{0};
};

}  // namespace lab
