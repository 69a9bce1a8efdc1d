// Given: the program of lab 1. It accepts clients and prints a line for each.
//
// Threads: main waits for Ctrl+C; the accept thread runs your accept_loop.
#include <cstdio>

#include "accept.h"
#include "accept_thread.h"
#include "program.h"

namespace {

class PrintClients : public lab::AcceptEvents {
 public:
  void on_client(const std::shared_ptr<lab::Client>& client) override {
    std::printf("client %u connected from %s:%u\n", client->id, client->peer.ip.c_str(), client->peer.port);
  }
  void on_refused(const lab::PeerAddress& peer) override {
    std::printf("refused %s:%u, the table is full\n", peer.ip.c_str(), peer.port);
  }
  void on_error(int error) override { std::printf("accept failed with %d, going on\n", error); }
};

}  // namespace

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 1: accepts clients and keeps them in a table. Ctrl+C ends it."};
  lab::ServerOptions options;
  lab::add_server_options(command_line, options);

  return lab::run_program(command_line, argc, argv, [&] {
    lab::UniqueSocket listener = lab::open_listener(options.port);
    std::printf("listening on port %u\n", lab::bound_port(listener));
    lab::ClientTable clients(options.max_clients);
    PrintClients events;
    lab::AcceptThread accept_thread(std::move(listener), clients, events);

    lab::StopRequest::wait(options.seconds);

    accept_thread.stop();
    std::printf("stopped: %zu clients were connected\n", clients.size());
  });
}
