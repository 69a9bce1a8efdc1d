// Given: the program of lab 3. An echo server with one loop on one thread.
//
// Threads: main waits for Ctrl+C; the accept thread accepts, registers and starts the first receive; the echo thread
// takes completions from the port; the operation says what each one was.
#include <cstdio>
#include <thread>

#include "accept_thread.h"
#include "drain.h"
#include "overlapped_ex.h"
#include "program.h"

namespace {

constexpr ULONG_PTR kQuitKey = 0;  // no client is at address 0

class EchoServer : public lab::AcceptEvents {
 public:
  EchoServer(HANDLE port, std::size_t max_clients) : port_(port), clients_(max_clients) {}

  std::shared_ptr<lab::Client> make_client() override { return std::make_shared<lab::Connection>(); }
  void on_client(const std::shared_ptr<lab::Client>& client) override {
    const auto connection = std::static_pointer_cast<lab::Connection>(client);
    lab::set_no_delay(client->socket);
    if (lab::register_client(port_, clients_, client,
                             [&](lab::Client&) { return lab::start_recv(operations_, connection); })) {
      std::printf("client %u connected\n", client->id);
    }
  }
  void on_refused(const lab::PeerAddress& peer) override {
    std::printf("refused %s:%u, the table is full\n", peer.ip.c_str(), peer.port);
  }
  void on_error(int error) override { std::printf("accept failed with %d, going on\n", error); }

  // The one loop. Ends at the quit packet.
  void echo_loop() {
    for (;;) {
      DWORD bytes = 0;
      ULONG_PTR key = kQuitKey;
      OVERLAPPED* overlapped = nullptr;
      const BOOL ok = ::GetQueuedCompletionStatus(port_, &bytes, &key, &overlapped, INFINITE);
      if (overlapped == nullptr) return;  // the posted quit packet, or the port is closed
      handle(lab::operation_from(overlapped), ok ? bytes : 0);
    }
  }

  // Closes every connection; the echo loop then handles the last completions.
  void drain() {
    for (const auto& client : clients_.snapshot()) disconnect(static_cast<lab::Connection&>(*client));
    lab::wait_for_drain([this] { return operations_.in_use(); }, "operations");
  }

  lab::ClientTable& clients() { return clients_; }
  void print_summary() const { std::printf("stopped: %zu receives, %zu sends\n", receives_, sends_); }

 private:
  void handle(lab::OverlappedEx* op, DWORD bytes) {
    lab::Connection& connection = *op->connection;
    bool going_on = bytes > 0;
    if (op->kind == lab::OpKind::send) {
      ++sends_;
      connection.bytes_in_flight -= op->wsabuf.len;
      if (!going_on) disconnect(connection);
      operations_.release(op);
      return;
    }
    ++receives_;
    going_on = going_on && lab::post_send(operations_, op->connection, op->buffer, bytes);
    going_on = going_on && lab::post_recv(op);  // from here on, op belongs to the system
    if (!going_on) {
      disconnect(connection);
      operations_.release(op);
    }
  }

  void disconnect(lab::Connection& connection) {
    if (!connection.close()) return;  // already closed by an earlier call
    std::printf("client %u left\n", connection.id);
    clients_.erase(connection.id);
  }

  HANDLE port_;
  lab::ClientTable clients_;
  lab::HeapOperations operations_;
  std::size_t receives_ = 0;  // written by the echo thread; main reads it after the thread has ended
  std::size_t sends_ = 0;
};

// Ends echo_loop, even if main ends with an exception.
struct QuitPacket {
  HANDLE port;
  ~QuitPacket() { ::PostQueuedCompletionStatus(port, 0, kQuitKey, nullptr); }
};

}  // namespace

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 3: an echo server with one loop. Every operation carries its own kind and buffer. Ctrl+C ends it."};
  lab::ServerOptions options;
  lab::add_server_options(command_line, options);

  return lab::run_program(command_line, argc, argv, [&] {
    lab::UniqueSocket listener = lab::open_listener(options.port);
    lab::UniqueHandle port = lab::create_port(1);
    std::printf("listening on port %u\n", lab::bound_port(listener));
    EchoServer server(port.get(), options.max_clients);
    {
      std::jthread echo([&] { server.echo_loop(); });
      QuitPacket quit{port.get()};  // destroyed before `echo`, which is then joined
      lab::AcceptThread accept_thread(std::move(listener), server.clients(), server);
      lab::StopRequest::wait(options.seconds);
      accept_thread.stop();
      server.drain();
    }
    server.print_summary();
  });
}
