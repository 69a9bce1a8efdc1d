// Given: the program of lab 2. It registers each client with a completion port and prints the completions.
//
// Threads: main waits for Ctrl+C; the accept thread accepts and registers; the completion thread takes completion
// packets from the port. Only the completion thread removes registered clients, so a client lives while its receive is
// pending.
#include <cstdio>
#include <thread>

#include "accept_thread.h"
#include "drain.h"
#include "iocp_register.h"
#include "program.h"

namespace {

constexpr ULONG_PTR kQuitKey = 0;  // no client is at address 0

class RegisterClients : public lab::AcceptEvents {
 public:
  RegisterClients(HANDLE port, lab::ClientTable& clients) : port_(port), clients_(clients) {}

  std::shared_ptr<lab::Client> make_client() override { return std::make_shared<lab::RecvClient>(); }
  void on_client(const std::shared_ptr<lab::Client>& client) override {
    std::printf("client %u connected from %s:%u, key %p\n", client->id, client->peer.ip.c_str(), client->peer.port,
                static_cast<void*>(client.get()));
    const auto first_recv = [](lab::Client& c) { return lab::post_recv(static_cast<lab::RecvClient&>(c)); };
    if (!lab::register_client(port_, clients_, client, first_recv)) {
      std::printf("client %u could not be registered\n", client->id);
    }
  }
  void on_refused(const lab::PeerAddress& peer) override {
    std::printf("refused %s:%u, the table is full\n", peer.ip.c_str(), peer.port);
  }
  void on_error(int error) override { std::printf("accept failed with %d, going on\n", error); }

 private:
  HANDLE port_;
  lab::ClientTable& clients_;
};

// Ends print_completions, even if main ends with an exception.
struct QuitPacket {
  HANDLE port;
  ~QuitPacket() { ::PostQueuedCompletionStatus(port, 0, kQuitKey, nullptr); }
};

void print_completions(HANDLE port, lab::ClientTable& clients) {
  for (;;) {
    DWORD bytes = 0;
    ULONG_PTR key = kQuitKey;
    OVERLAPPED* overlapped = nullptr;
    const BOOL ok = ::GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);
    const DWORD error = ok ? 0 : ::GetLastError();
    if (overlapped == nullptr) return;  // the posted quit packet, or the port is closed

    auto& client = static_cast<lab::RecvClient&>(lab::client_from_key(key));
    std::printf("completion: key %p (client %u), %lu bytes, error %lu\n", reinterpret_cast<void*>(key), client.id,
                static_cast<unsigned long>(bytes), static_cast<unsigned long>(error));
    if (!ok || bytes == 0 || !lab::post_recv(client)) {
      std::printf("client %u left\n", client.id);
      clients.erase(client.id);  // the last reference: this closes the socket
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 2: registers each client with a completion port and prints the key and the bytes of each "
               "completion. Ctrl+C ends it."};
  lab::ServerOptions options;
  lab::add_server_options(command_line, options);

  return lab::run_program(command_line, argc, argv, [&] {
    lab::UniqueSocket listener = lab::open_listener(options.port);
    lab::UniqueHandle port = lab::create_port(0);
    std::printf("listening on port %u\n", lab::bound_port(listener));
    lab::ClientTable clients(options.max_clients);
    RegisterClients events(port.get(), clients);
    std::jthread completions(print_completions, port.get(), std::ref(clients));
    QuitPacket quit{port.get()};  // destroyed before `completions`, which is then joined
    lab::AcceptThread accept_thread(std::move(listener), clients, events);

    lab::StopRequest::wait(options.seconds);

    accept_thread.stop();
    const auto connected = clients.snapshot();
    std::printf("stopping: %zu clients are connected\n", connected.size());
    for (const auto& client : connected) client->socket.close();  // each pending receive now completes with an error
    lab::wait_for_drain([&] { return clients.size(); }, "clients");
    std::printf("stopped: every receive has completed\n");
  });
}
