// A port, a connected pair whose server side is associated with it, and a ledger of operations.
// At the end of each test every operation must have completed exactly once, and the port must be empty.
#pragma once

#include "net.h"

#include <deque>

namespace net {

// What one GetQueuedCompletionStatus gave.
struct Packet {
  BOOL ok = FALSE;
  DWORD bytes = 0;
  ULONG_PTR key = 0;
  OVERLAPPED* overlapped = nullptr;
  DWORD error = 0;
};

inline Packet dequeue(HANDLE port, DWORD timeout = kWait) {
  Packet packet;
  packet.ok = ::GetQueuedCompletionStatus(port, &packet.bytes, &packet.key, &packet.overlapped, timeout);
  packet.error = packet.ok ? 0 : ::GetLastError();
  return packet;
}

inline void expect_empty(HANDLE port, DWORD timeout = 0) {
  const Packet packet = dequeue(port, timeout);
  EXPECT_FALSE(packet.ok) << "should have been empty, but a packet with key " << packet.key << " was there";
  EXPECT_EQ(packet.overlapped, nullptr);
  EXPECT_EQ(packet.error, static_cast<DWORD>(WAIT_TIMEOUT));
}

// One overlapped operation: OVERLAPPED, buffer, and what its call returned.
struct Op {
  OVERLAPPED overlapped{};
  std::vector<char> data;
  int result = 0;
  int error = 0;           // of the call
  DWORD bytes = 0;         // of the call, if it succeeded at once
  int packets_due = 0;

  bool started() const { return result == 0 || error == WSA_IO_PENDING; }
  std::string text(std::size_t size) const { return std::string(data.data(), size); }
};

class PortTest : public ::testing::Test {
 protected:
  static constexpr ULONG_PTR kKey = 7;

  void SetUp() override { port_.add(pair_.server, kKey); }

  void TearDown() override {
    pair_.client.close();
    pair_.server.close();
    others_.clear();
    if (port_.get() == nullptr) return;
    while (due() > 0 && !HasFailure()) {
      if (next().overlapped == nullptr) ADD_FAILURE() << due() << " operations should have completed, but no packet came";
    }
    expect_empty(port_.get());
  }

  Op& new_op(std::size_t size) {
    ops_.emplace_back();
    ops_.back().data.resize(size);
    return ops_.back();
  }

  // Only starts the call; the test looks at result and error.
  Op& try_recv(const Socket& socket, std::size_t size) {
    Op& op = new_op(size);
    WSABUF buffer{static_cast<ULONG>(size), op.data.data()};
    DWORD flags = 0;
    op.packets_due = 1;   // before the call: the packet may be dequeued before the call returns
    op.result = ::WSARecv(socket.get(), &buffer, 1, &op.bytes, &flags, &op.overlapped, nullptr);
    return note(op);
  }
  Op& try_send(const Socket& socket, const std::string& bytes) {
    Op& op = new_op(bytes.size());
    std::copy(bytes.begin(), bytes.end(), op.data.begin());
    WSABUF buffer{static_cast<ULONG>(bytes.size()), op.data.data()};
    op.packets_due = 1;
    op.result = ::WSASend(socket.get(), &buffer, 1, &op.bytes, 0, &op.overlapped, nullptr);
    return note(op);
  }
  // Starts it; anything but success or "pending" fails the test.
  Op& start_recv(const Socket& socket, std::size_t size) {
    Op& op = try_recv(socket, size);
    EXPECT_TRUE(op.started()) << "WSARecv should have started, but failed with " << op.error;
    return op;
  }
  Op& start_send(const Socket& socket, const std::string& bytes) {
    Op& op = try_send(socket, bytes);
    EXPECT_TRUE(op.started()) << "WSASend should have started, but failed with " << op.error;
    return op;
  }

  // The next packet, entered in the ledger.
  Packet next(DWORD timeout = kWait) {
    const Packet packet = dequeue(port_.get(), timeout);
    enter(packet.overlapped);
    return packet;
  }

  void enter(OVERLAPPED* overlapped) {
    if (overlapped == nullptr) return;
    for (Op& op : ops_) {
      if (&op.overlapped != overlapped) continue;
      EXPECT_EQ(op.packets_due, 1) << "one operation completed twice, or one that never started completed";
      --op.packets_due;
    }
  }

  // The next packet must be this operation's, successful, with this many bytes.
  void expect_success(Op& op, std::size_t bytes, ULONG_PTR key = kKey) {
    const Packet packet = next();
    ASSERT_EQ(packet.overlapped, &op.overlapped) << (packet.overlapped ? "another operation's packet came" : "no packet came");
    EXPECT_TRUE(packet.ok) << "error " << packet.error;
    EXPECT_EQ(packet.bytes, bytes);
    EXPECT_EQ(packet.key, key);
  }

  int due() const {
    int sum = 0;
    for (const Op& op : ops_) sum += op.packets_due;
    return sum;
  }

  // Sends until one stays pending: the peer does not read. Returns the bytes handed over.
  std::size_t fill(const Socket& socket, std::size_t chunk = 256 * 1024) {
    std::size_t total = 0;
    for (int i = 0; i < 256; ++i) {
      const Op& op = start_send(socket, pattern(chunk, static_cast<unsigned>(i)));
      total += chunk;
      if (op.result != 0) return total;
    }
    ADD_FAILURE() << "no send ever stayed pending";
    return total;
  }

  // Receives `size` bytes while the port is being waited on: a platform may move pending sends only then.
  std::string receive_while_waiting(const Socket& socket, std::size_t size) {
    set_nonblocking(socket);
    std::string got;
    std::vector<char> some(64 * 1024);
    const bool in_time = within_wait([&] {
      for (;;) {
        const int count = ::recv(socket.get(), some.data(), static_cast<int>(some.size()), 0);
        if (count > 0) got.append(some.data(), static_cast<std::size_t>(count));
        for (Packet packet = next(0); packet.overlapped != nullptr; packet = next(0)) EXPECT_TRUE(packet.ok) << packet.error;
        if (count <= 0) return got.size() >= size || HasFailure();
      }
    });
    EXPECT_TRUE(in_time) << "should have received " << size << " bytes, but " << got.size() << " came";
    return got;
  }

  std::deque<Op> ops_;   // first: outlives the sockets that use the buffers
  Port port_;
  Pair pair_ = connected_pair();
  std::vector<Socket> others_;

 private:
  static Op& note(Op& op) {
    op.error = op.result == 0 ? 0 : ::WSAGetLastError();
    if (!op.started()) op.packets_due = 0;
    return op;
  }
};

// A local close ends what is pending with one of these. Windows' own documents and versions name all three.
inline ::testing::AssertionResult closed_locally(const Packet& packet) {
  if (packet.ok) return ::testing::AssertionFailure() << "should have failed, but succeeded with " << packet.bytes << " bytes";
  return accepts_either<DWORD>(packet.error, {ERROR_NETNAME_DELETED, ERROR_OPERATION_ABORTED, ERROR_CONNECTION_ABORTED},
                               {676, ERROR_INVALID_HANDLE},
                               "a local closesocket ends a pending recv with 676, a send with 6; not with 64, 995 or 1236");
}

}  // namespace net
