#include "net.h"

#include <algorithm>
#include <cstring>

#include "seam.h"
#include "story.h"

namespace test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* raw(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

std::string with_code(const std::string& call, int error) { return call + " failed with " + std::to_string(error); }

void set_blocking(SOCKET socket, bool blocking) {
  u_long value = blocking ? 0 : 1;
  if (::ioctlsocket(socket, FIONBIO, &value) != 0) fail(with_code("ioctlsocket", ::WSAGetLastError()));
}

std::uint16_t port_of(SOCKET socket) {
  const Unwatched mine;
  sockaddr_in address{};
  int size = sizeof address;
  if (::getsockname(socket, raw(address), &size) != 0) fail(with_code("getsockname", ::WSAGetLastError()));
  return ntohs(address.sin_port);
}

}  // namespace

TestClient::TestClient(std::uint16_t port, const char* from) {
  start_connect(port, from);
  finish_connect();
}

void TestClient::start_connect(std::uint16_t port, const char* from) {
  const Unwatched mine;
  socket_ = lab::UniqueSocket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!socket_.valid()) fail(with_code("the test client's socket()", ::WSAGetLastError()));
  set_blocking(socket_.get(), false);
  sockaddr_in address = loopback(0);
  if (from != nullptr && (::inet_pton(AF_INET, from, &address.sin_addr) != 1 || ::bind(socket_.get(), raw(address), sizeof address) != 0)) {
    fail(with_code("the test client's bind", ::WSAGetLastError()));
  }
  address = loopback(port);
  if (::connect(socket_.get(), raw(address), sizeof address) != 0 && ::WSAGetLastError() != WSAEWOULDBLOCK) {
    fail("expected that port " + std::to_string(port) + " takes a connection, but " +
         with_code("connect", ::WSAGetLastError()));
  }
}

void TestClient::finish_connect() {
  const Unwatched mine;
  int error = 0;
  bool connected = false;
  eventually([&] {
    sockaddr_in address{};
    int size = sizeof address;
    connected = ::getpeername(socket_.get(), raw(address), &size) == 0;
    size = sizeof error;
    if (!connected) ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size);
    return connected || error != 0;  // refused: waiting longer changes nothing
  });
  if (connected) {
    port_ = port_of(socket_.get());
    const int on = 1;  // what is sent goes at once: else it may wait until the system has acknowledged what went before
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
    return;
  }
  fail("expected that the server's port takes a connection, but " +
       (error != 0 ? with_code("connect", error) : std::string("nobody answers there")));
}

TestClient& TestClient::operator=(TestClient&& other) {
  close();
  socket_ = std::move(other.socket_);
  port_ = other.port_;
  return *this;
}

std::size_t TestClient::send_some(const std::string& bytes) {
  const Unwatched mine;
  const int sent = ::send(socket_.get(), bytes.data(), static_cast<int>(bytes.size()), 0);
  if (sent <= 0) return 0;
  note_client_sent(port_, static_cast<std::size_t>(sent));
  return static_cast<std::size_t>(sent);
}

void TestClient::send(const std::string& bytes) {
  const Unwatched mine;
  std::size_t done = 0;
  int error = 0;
  const bool sent = eventually([&] {
    while (done < bytes.size()) {
      const int some = ::send(socket_.get(), bytes.data() + done, static_cast<int>(bytes.size() - done), 0);
      if (some < 0) {
        error = ::WSAGetLastError();
        return error != WSAEWOULDBLOCK;
      }
      done += static_cast<std::size_t>(some);
      note_client_sent(port_, static_cast<std::size_t>(some));
    }
    error = 0;
    return true;
  });
  if (!sent || error != 0) {
    fail("expected that the server reads " + std::to_string(bytes.size()) + " bytes, but after " +
         std::to_string(done) + " of them " + (sent ? with_code("send", error) : "it reads no more"));
  }
}

std::string TestClient::receive(std::size_t size) {
  const Unwatched mine;
  std::string bytes(size, '\0');
  std::size_t done = 0;
  int got = 1;
  int error = 0;
  const bool in_time = eventually([&] {
    while (done < size) {
      got = ::recv(socket_.get(), bytes.data() + done, static_cast<int>(size - done), 0);
      if (got <= 0) {
        error = got == 0 ? 0 : ::WSAGetLastError();
        return got == 0 || error != WSAEWOULDBLOCK;
      }
      done += static_cast<std::size_t>(got);
    }
    return true;
  });
  if (done == size) return bytes;
  const std::string why = !in_time    ? "no more came"
                          : got == 0 ? "then the server closed the connection"
                                     : "then " + with_code("recv", error);
  fail("expected " + std::to_string(size) + " bytes from the server, but " + std::to_string(done) + " came, and " + why);
}

std::string TestClient::receive_until_end() {
  const Unwatched mine;
  std::string bytes;
  const bool ended = eventually([&] {
    char some[4096];
    for (;;) {
      const int got = ::recv(socket_.get(), some, sizeof some, 0);
      if (got <= 0) return got == 0 || ::WSAGetLastError() != WSAEWOULDBLOCK;
      bytes.append(some, static_cast<std::size_t>(got));
    }
  });
  if (!ended) fail("expected that the server closes the connection, but it stays open");
  return bytes;
}

End TestClient::look() const {
  const Unwatched mine;
  char byte;
  const int got = ::recv(socket_.get(), &byte, 1, MSG_PEEK);
  if (got > 0) return End::bytes;
  if (got == 0) return End::eof;
  return ::WSAGetLastError() == WSAEWOULDBLOCK ? End::none : End::reset;
}

End TestClient::expect_closed() {
  End end = End::none;
  eventually([&] { return (end = look()) != End::none; });
  if (end == End::none) fail("expected that the server closes the connection, but it stays open");
  if (end == End::bytes) fail("expected that the server closes the connection, but it sent bytes");
  return end;
}

void TestClient::half_close() {
  const Unwatched mine;
  if (::shutdown(socket_.get(), SD_SEND) != 0) fail(with_code("the test client's shutdown", ::WSAGetLastError()));
  note_client_ended(port_);
}

void TestClient::abort() {
  const Unwatched mine;
  linger value{};
  value.l_onoff = 1;  // and no time to linger: the close is a RST
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&value), sizeof value);
  close();
}

void TestClient::close() {
  if (!socket_.valid()) return;
  const Unwatched mine;
  socket_.close();
  note_client_ended(port_);
}

std::vector<TestClient> connect_many(std::uint16_t port, std::size_t count) {
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(TestClient());
    clients.back().start_connect(port);
  }
  for (TestClient& client : clients) client.finish_connect();
  return clients;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

Listener::Listener(int backlog) {
  const Unwatched mine;
  socket = lab::UniqueSocket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  sockaddr_in address = loopback(0);
  if (!socket.valid() || ::bind(socket.get(), raw(address), sizeof address) != 0 ||
      ::listen(socket.get(), backlog) != 0) {
    fail(with_code("the test's own listener", ::WSAGetLastError()));
  }
  port = port_of(socket.get());
}

Listener::~Listener() {
  const Unwatched mine;
  socket.close();
}

lab::UniqueSocket Listener::accept() {
  const Unwatched mine;
  set_blocking(socket.get(), false);
  lab::UniqueSocket accepted;
  eventually([&] {
    accepted = lab::UniqueSocket(::accept(socket.get(), nullptr, nullptr));
    return accepted.valid();
  });
  if (!accepted.valid()) fail("expected a connection at the test's own listener, but none came");
  set_blocking(accepted.get(), true);  // on Windows it inherits the listener's mode
  adopt_socket(accepted.get());
  return accepted;
}

lab::UniqueSocket Listener::accept_with_the_number_of(lab::UniqueSocket& old) {
  const SOCKET wanted = old.get();
  old.close();
  {
    const Unwatched mine;
    constexpr int kNumbers = 512;  // that a place in the native table has: after the last comes the first again
    const auto next_number = [] { return lab::UniqueSocket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)).get(); };
    for (int i = 1; i < kNumbers && next_number() != wanted; ++i) {
    }
  }
  return accept();
}

}  // namespace test
