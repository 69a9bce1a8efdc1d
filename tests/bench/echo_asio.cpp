// A plain echo server on standalone Asio, for comparison. Usage: echo_asio THREADS. It runs until it is killed.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include <asio.hpp>

namespace {

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](std::error_code error, std::size_t size) {
      if (!error) self->write(size);
    });
  }

 private:
  void write(std::size_t size) {
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  char buffer_[4096];
};

void accept_next(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket))->read();
    accept_next(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  asio::io_context context(threads);  // the hint allows Asio to omit locks if there is one thread
  tcp::acceptor acceptor(context, {tcp::v4(), 0});
  acceptor.listen(4096);
  std::printf("listening on port %u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  accept_next(acceptor);
  std::vector<std::thread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back([&] { context.run(); });
  context.run();
}
