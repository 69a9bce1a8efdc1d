#include "run_server.h"

#include <algorithm>
#include <cstdio>

#include "accept_thread.h"
#include "drain.h"

namespace lab {
namespace {

// Registers each accepted client with the server.
class RegisterClients : public AcceptEvents {
 public:
  RegisterClients(Server& server, const std::function<std::shared_ptr<Connection>()>& make)
      : server_(server), make_(make) {}

  std::shared_ptr<Client> make_client() override { return make_(); }
  void on_client(const std::shared_ptr<Client>& client) override {
    const auto connection = std::static_pointer_cast<Connection>(client);
    set_no_delay(client->socket);
    const auto first_recv = [&](Client&) { return start_recv(server_.operations, connection); };
    if (register_client(server_.port, server_.clients, client, first_recv)) {
      std::printf("client %u connected from %s:%u\n", client->id, client->peer.ip.c_str(), client->peer.port);
    } else {
      std::printf("client %u could not be registered\n", client->id);
    }
  }
  void on_refused(const PeerAddress& peer) override {
    std::printf("refused %s:%u, the table is full\n", peer.ip.c_str(), peer.port);
  }
  void on_error(int error) override { std::printf("accept failed with %d, going on\n", error); }

 private:
  Server& server_;
  const std::function<std::shared_ptr<Connection>()>& make_;
};

// The worker threads; they are ended even if run_server ends with an exception.
struct Workers {
  Workers(Server& s, unsigned count) : server(s), threads(start_workers(s, count)) {}
  ~Workers() { stop_workers(server, threads); }
  Server& server;
  std::vector<std::thread> threads;
};

}  // namespace

void add_worker_options(CommandLine& command_line, WorkerOptions& options) {
  add_server_options(command_line, options);
  command_line.add_number("--threads", options.threads, 0, 256, "worker threads; 0 means one per processor");
  command_line.add_number("--max-outstanding", options.max_outstanding, 1, 1 << 30,
                          "bytes that may wait for one client; one that lets more pile up is disconnected");
}

void run_server(const WorkerOptions& options, OperationSource& operations, Handler& handler,
                const std::function<std::shared_ptr<Connection>()>& make_client) {
  const unsigned threads = options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  UniqueSocket listener = open_listener(options.port);
  const UniqueHandle port = create_port(threads);
  ClientTable clients(options.max_clients);
  Server server{port.get(), clients, operations, handler, options.max_outstanding};
  std::printf("listening on port %u, %u worker threads\n", bound_port(listener), threads);

  const Workers workers(server, threads);
  RegisterClients events(server, make_client);
  AcceptThread accept_thread(std::move(listener), clients, events);

  StopRequest::wait(options.seconds);

  accept_thread.stop();
  const auto connected = clients.snapshot();
  std::printf("stopping: %zu clients are connected\n", connected.size());
  for (const auto& client : connected) {
    disconnect(server, std::static_pointer_cast<Connection>(client), "the server stops");
  }
  wait_for_drain([&] { return operations.in_use(); }, "operations");
  std::printf("drained: 0 operations are outstanding\n");
}

}  // namespace lab
