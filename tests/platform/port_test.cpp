// CreateIoCompletionPort in its three forms, PostQueuedCompletionStatus, GetQueuedCompletionStatus, CloseHandle.
#include "port_fixture.h"

#include <limits>

namespace {

using namespace net;

HANDLE associate(const Socket& socket, HANDLE port, ULONG_PTR key) {
  return ::CreateIoCompletionPort(socket.handle(), port, key, 0);
}

OVERLAPPED* address(std::uintptr_t value) { return reinterpret_cast<OVERLAPPED*>(value); }

TEST(PortMake, AnyConcurrencyWillDo) {
  for (const DWORD concurrency : {0u, 1u, 4u, 1000u}) {
    Port port(concurrency);
    expect_empty(port.get());
  }
}

TEST(PortMake, WithASocketAtOnce) {
  Pair pair = connected_pair();
  const HANDLE port = associate(pair.server, nullptr, 42);
  ASSERT_NE(port, nullptr);
  OVERLAPPED overlapped{};
  char byte = 0;
  WSABUF buffer{1, &byte};
  DWORD flags = 0;
  ::WSARecv(pair.server.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr);
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  const Packet packet = dequeue(port);
  EXPECT_TRUE(packet.ok);
  EXPECT_EQ(packet.key, 42u);
  EXPECT_EQ(packet.overlapped, &overlapped);
  pair.server.close();
  EXPECT_TRUE(::CloseHandle(port));
}

TEST(PortAssociate, GivesThePortBack) {
  Port port;
  Socket socket = tcp_socket();
  EXPECT_EQ(associate(socket, port.get(), 1), port.get());
}

TEST(PortAssociate, TwiceIsRefused) {
  Port port;
  Port other;
  Pair pair = connected_pair();
  ASSERT_EQ(associate(pair.server, port.get(), 1), port.get());
  EXPECT_TRUE(win32_fails(associate(pair.server, port.get(), 2) != nullptr, ERROR_INVALID_PARAMETER));
  EXPECT_TRUE(win32_fails(associate(pair.server, other.get(), 2) != nullptr, ERROR_INVALID_PARAMETER));
  OVERLAPPED overlapped{};
  char byte = 0;
  WSABUF buffer{1, &byte};
  DWORD flags = 0;
  ::WSARecv(pair.server.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr);
  ASSERT_EQ(send_all(pair.client, "x"), 1);
  const Packet packet = dequeue(port.get());
  EXPECT_TRUE(packet.ok);
  EXPECT_EQ(packet.key, 1u) << "the first association should have stayed";
}

TEST(PortAssociate, NeedsAnOpenSocket) {
  Port port;
  const SOCKET closed = tcp_socket().release();
  ASSERT_EQ(::closesocket(closed), 0);
  EXPECT_TRUE(win32_fails(::CreateIoCompletionPort(reinterpret_cast<HANDLE>(closed), port.get(), 1, 0) != nullptr, ERROR_INVALID_HANDLE));
}

TEST(PortAssociate, NeedsAnOpenPort) {
  Port port;
  const HANDLE closed = port.get();
  port.close();
  Socket socket = tcp_socket();
  EXPECT_TRUE(win32_fails(associate(socket, closed, 1) != nullptr, ERROR_INVALID_HANDLE));
}

TEST(PortAssociate, NeedsAPortAndNotASocket) {
  Socket socket = tcp_socket();
  Socket other = tcp_socket();
  EXPECT_TRUE(win32_fails(associate(socket, other.handle(), 1) != nullptr, ERROR_INVALID_HANDLE));
}

TEST(PortAssociate, NoSocketButAPortIsRefused) {
  Port port;
  EXPECT_TRUE(win32_fails(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, port.get(), 1, 0) != nullptr, ERROR_INVALID_PARAMETER));
}

TEST(PortAssociate, AListeningSocketMayBeOne) {
  Port port;
  const Socket listening = listener();
  EXPECT_EQ(associate(listening, port.get(), 1), port.get());
  Pair pair = connected_pair(listening);
  EXPECT_EQ(associate(pair.server, port.get(), 2), port.get()) << "an accepted socket is not associated yet";
}

TEST(PortAssociate, EachSocketKeepsItsKey) {
  Port port;
  const Socket listening = listener();
  const ULONG_PTR keys[] = {0, 1, std::numeric_limits<ULONG_PTR>::max(), reinterpret_cast<ULONG_PTR>(&port)};
  std::deque<Pair> pairs;
  OVERLAPPED overlapped[4]{};
  char bytes[4];
  for (int i = 0; i < 4; ++i) {
    pairs.push_back(connected_pair(listening));
    port.add(pairs.back().server, keys[i]);
    WSABUF buffer{1, &bytes[i]};
    DWORD flags = 0;
    ::WSARecv(pairs.back().server.get(), &buffer, 1, nullptr, &flags, &overlapped[i], nullptr);
  }
  for (int i = 3; i >= 0; --i) {
    ASSERT_EQ(send_all(pairs[static_cast<std::size_t>(i)].client, "x"), 1);
    const Packet packet = dequeue(port.get());
    EXPECT_TRUE(packet.ok);
    EXPECT_EQ(packet.key, keys[i]);
    EXPECT_EQ(packet.overlapped, &overlapped[i]);
  }
}

TEST(PortPost, DeliversAnyValues) {
  Port port;
  OVERLAPPED overlapped{};
  const Packet posted[] = {
      {TRUE, 0, 0, nullptr, 0},
      {TRUE, 0xFFFFFFFF, std::numeric_limits<ULONG_PTR>::max(), address(~std::uintptr_t{0}), 0},   // never looked into
      {TRUE, 1, 2, address(16), 0},
      {TRUE, 0, 5, &overlapped, 0},
  };
  for (const Packet& p : posted) ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), p.bytes, p.key, p.overlapped));
  for (const Packet& p : posted) {
    const Packet got = dequeue(port.get());
    EXPECT_TRUE(got.ok);
    EXPECT_EQ(got.bytes, p.bytes);
    EXPECT_EQ(got.key, p.key);
    EXPECT_EQ(got.overlapped, p.overlapped);
  }
  EXPECT_EQ(overlapped.Internal, 0u);   // posting does not write to it
  EXPECT_EQ(overlapped.InternalHigh, 0u);
}

TEST(PortPost, TenThousandStayInOrder) {
  Port port;
  for (ULONG_PTR i = 0; i < 10000; ++i) ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), static_cast<DWORD>(i), i, nullptr));
  for (ULONG_PTR i = 0; i < 10000; ++i) {
    const Packet packet = dequeue(port.get());
    ASSERT_TRUE(packet.ok);
    ASSERT_EQ(packet.key, i);
    ASSERT_EQ(packet.bytes, static_cast<DWORD>(i));
  }
  expect_empty(port.get());
}

TEST(PortPost, NeedsAnOpenPort) {
  Port port;
  const HANDLE closed = port.get();
  port.close();
  EXPECT_TRUE(win32_fails(::PostQueuedCompletionStatus(closed, 0, 0, nullptr), ERROR_INVALID_HANDLE));
  Socket socket = tcp_socket();
  EXPECT_TRUE(win32_fails(::PostQueuedCompletionStatus(socket.handle(), 0, 0, nullptr), ERROR_INVALID_HANDLE));
}

TEST(PortWait, TimesOutWithoutAnOverlapped) {
  Port port;
  for (const DWORD timeout : {0u, 1u, 30u}) {
    Packet packet;
    packet.overlapped = address(16);   // must be overwritten: callers tell a timeout from a failure by it
    packet.ok = ::GetQueuedCompletionStatus(port.get(), &packet.bytes, &packet.key, &packet.overlapped, timeout);
    EXPECT_TRUE(win32_fails(packet.ok, WAIT_TIMEOUT));
    EXPECT_EQ(packet.overlapped, nullptr);
  }
}

TEST(PortWait, NeedsAnOpenPort) {
  Port port;
  const HANDLE closed = port.get();
  port.close();
  const Packet packet = dequeue(closed, 0);
  EXPECT_FALSE(packet.ok);
  EXPECT_EQ(packet.error, static_cast<DWORD>(ERROR_INVALID_HANDLE));
  EXPECT_EQ(packet.overlapped, nullptr);
  EXPECT_EQ(dequeue(nullptr, 0).error, static_cast<DWORD>(ERROR_INVALID_HANDLE));
}

TEST(PortWait, IsEndedByAPost) {
  Port port;
  Packet packet;
  Blocking call([&] { packet = dequeue(port.get(), kLongWait); });
  ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), 3, 4, nullptr));
  call.join();
  EXPECT_TRUE(packet.ok);
  EXPECT_EQ(packet.key, 4u);
}

// Whoever has posted waits for the answer: so each post meets a thread that waits, or is about to.
TEST(PortWait, IsEndedByEachPostOfAnExchange) {
  constexpr ULONG_PTR kRounds = 100;
  Port here;
  Port there;
  ULONG_PTR answered = 0;
  ULONG_PTR echoed = 0;
  {
    Blocking echo([&] {
      while (echoed < kRounds) {
        const Packet packet = dequeue(there.get(), kLongWait);
        if (!packet.ok || packet.key != ++echoed) return;
        ::PostQueuedCompletionStatus(here.get(), 0, packet.key, nullptr);
      }
    });
    Blocking ask([&] {
      while (answered < kRounds) {
        ::PostQueuedCompletionStatus(there.get(), 0, answered + 1, nullptr);
        const Packet packet = dequeue(here.get(), kLongWait);
        if (!packet.ok || packet.key != ++answered) return;
      }
    });
  }
  EXPECT_EQ(echoed, kRounds);
  EXPECT_EQ(answered, kRounds);
}

TEST(PortClose, TwiceIsAnError) {
  Port port;
  const HANDLE handle = port.get();
  port.close();
  EXPECT_TRUE(win32_fails(::CloseHandle(handle), ERROR_INVALID_HANDLE));
  EXPECT_TRUE(win32_fails(::CloseHandle(nullptr), ERROR_INVALID_HANDLE));
}

TEST(PortClose, WithPacketsQueuedIsAllowed) {
  Port port;
  for (ULONG_PTR i = 0; i < 100; ++i) ASSERT_TRUE(::PostQueuedCompletionStatus(port.get(), 0, i, nullptr));
  port.close();
}

// Who comes after the close gets "invalid handle"; who was waiting gets "abandoned". The delay grows until one waited.
TEST(PortClose, WakesItsWaiters) {
  const DWORD patience = on_wine() ? 300 : kLongWait;
  for (int delay = 1; delay <= 256; delay *= 2) {
    Port port;
    const HANDLE handle = port.get();
    Packet packets[2];
    {
      Blocking first([&] { packets[0] = dequeue(handle, patience); });
      Blocking second([&] { packets[1] = dequeue(handle, patience); });
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      port.close();
    }
    int late = 0;
    for (const Packet& packet : packets) {
      EXPECT_FALSE(packet.ok);
      EXPECT_EQ(packet.overlapped, nullptr);
      if (packet.error == ERROR_INVALID_HANDLE) {
        ++late;
      } else {
        EXPECT_TRUE(accepts_either<DWORD>(packet.error, {ERROR_ABANDONED_WAIT_0}, {WAIT_TIMEOUT}, "closing a port does not wake its waiters"));
      }
    }
    if (late == 0 || HasFailure()) return;
  }
  ADD_FAILURE() << "no thread was ever waiting when the port was closed";
}

}  // namespace
