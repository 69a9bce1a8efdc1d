// A TCP client over loopback for tests. Nothing in it waits without a bound; what should come and does not, fails the
// test with a sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"

namespace test {

// What the other side has done with the connection.
enum class End {
  none,   // it is open, and nothing has come
  bytes,  // it is open, and bytes wait to be read
  eof,    // closed in order
  reset,  // closed by RST
};

// One connection. Its socket is non-blocking. For one thread at a time. The seam does not see its calls; it is told what
// was sent, so that it knows which completions are due.
class TestClient {
 public:
  // Connects to 127.0.0.1:port, from another address of this computer when one is given.
  explicit TestClient(std::uint16_t port, const char* from = nullptr);
  TestClient(TestClient&&) = default;
  TestClient& operator=(TestClient&& other);
  ~TestClient() { close(); }

  std::uint16_t local_port() const { return port_; }  // what the server sees as the peer's port

  void send(const std::string& bytes);       // all of it; fails the test when the other side does not read
  std::size_t send_some(const std::string& bytes);  // as much as fits now; 0 when nothing does or it is closed
  std::string receive(std::size_t size);     // exactly `size` bytes; fails the test when they do not come
  std::string receive_until_end();           // what comes before EOF or RST, which must come

  // Looks, without waiting and without taking anything.
  End look() const;
  // The other side must close: EOF or RST, with no byte before it. Returns which of the two it was.
  End expect_closed();

  void half_close();  // says that no more bytes will come, and still listens
  void abort();       // closes by RST
  void close();       // closes in order

  SOCKET socket() const { return socket_.get(); }

 private:
  friend std::vector<TestClient> connect_many(std::uint16_t port, std::size_t count);
  TestClient() = default;
  void start_connect(std::uint16_t port, const char* from = nullptr);
  void finish_connect();

  lab::UniqueSocket socket_;
  std::uint16_t port_ = 0;
};

// `count` clients whose connects all run at the same time.
std::vector<TestClient> connect_many(std::uint16_t port, std::size_t count);

// Bytes that differ from place to place and from seed to seed.
std::string pattern(std::size_t size, unsigned seed);

// A listening socket of the test itself, on 127.0.0.1, and its port.
struct Listener {
  explicit Listener(int backlog = 16);
  ~Listener();
  lab::UniqueSocket accept();  // waits for the next connection, bounded; the socket blocks. The seam watches it from now on
  // Closes `old`, on which nothing is pending, and gives the next connection the same number. Windows often does that
  // at once, the native layer when it has no other number left for this place in its table.
  lab::UniqueSocket accept_with_the_number_of(lab::UniqueSocket& old);
  lab::UniqueSocket socket;
  std::uint16_t port = 0;
};

}  // namespace test
