// Given: the handler of an echo server, which sends back what it receives.
#pragma once

#include <atomic>
#include <cstdio>

#include "worker.h"

namespace lab {

class EchoHandler : public Handler {
 public:
  bool on_recv(Server& server, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) override {
    ++receives_;
    return send_bytes(server, connection, data, size);
  }
  void on_sent(Server&, const std::shared_ptr<Connection>&, std::size_t) override { ++sends_; }
  void on_disconnect(Server&, const std::shared_ptr<Connection>& connection, const char* why) override {
    std::printf("client %u left: %s\n", connection->id, why);
  }

  void print_summary() const {
    std::printf("receives: %zu, sends completed: %zu\n", receives_.load(), sends_.load());
  }

 private:
  std::atomic<std::size_t> receives_{0};
  std::atomic<std::size_t> sends_{0};
};

}  // namespace lab
