// WSAStartup, WSACleanup, the last error, byte order, addresses as text, and the shapes of the types.
#include "net.h"

#include <atomic>
#include <cstring>
#include <type_traits>

namespace {

using namespace net;

// Every other test needs Winsock started.
class WinsockStarted : public ::testing::Environment {
 public:
  void SetUp() override {
    WSADATA data{};
    ASSERT_EQ(::WSAStartup(MAKEWORD(2, 2), &data), 0);
  }
  void TearDown() override { EXPECT_EQ(::WSACleanup(), 0); }
};
const auto* const started = ::testing::AddGlobalTestEnvironment(new WinsockStarted);

// INVALID_SOCKET is not negative; a handle and a key hold a pointer; an OVERLAPPED is 32 bytes on a 64-bit system.
static_assert(std::is_unsigned_v<SOCKET> && sizeof(SOCKET) == sizeof(void*));
static_assert(INVALID_SOCKET == static_cast<SOCKET>(~static_cast<SOCKET>(0)));
static_assert(sizeof(ULONG_PTR) == sizeof(void*) && std::is_unsigned_v<ULONG_PTR>);
static_assert(sizeof(HANDLE) == sizeof(void*) && sizeof(DWORD) == 4 && sizeof(ULONG) == 4 && sizeof(BOOL) == 4);
static_assert(std::is_unsigned_v<DWORD> && std::is_unsigned_v<ULONG>);
static_assert(sizeof(OVERLAPPED) == 16 + 2 * sizeof(void*));
static_assert(std::is_same_v<WSAOVERLAPPED, OVERLAPPED>);
static_assert(std::is_trivial_v<OVERLAPPED> && std::is_standard_layout_v<OVERLAPPED>);
static_assert(SOCKET_ERROR == -1 && WSA_IO_PENDING == ERROR_IO_PENDING && ERROR_IO_PENDING == 997);
static_assert(WSA_OPERATION_ABORTED == ERROR_OPERATION_ABORTED && ERROR_OPERATION_ABORTED == 995);
static_assert(ERROR_NETNAME_DELETED == 64 && ERROR_INVALID_HANDLE == 6 && ERROR_INVALID_PARAMETER == 87);
static_assert(ERROR_ABANDONED_WAIT_0 == 735 && ERROR_NOT_FOUND == 1168 && ERROR_CONNECTION_ABORTED == 1236);
static_assert(WAIT_TIMEOUT == 258 && WSAECONNRESET == 10054 && WSAENOTSOCK == 10038 && WSAEWOULDBLOCK == 10035);
static_assert(WSAEADDRINUSE == 10048 && WSAECONNREFUSED == 10061 && WSAENOTCONN == 10057 && WSAESHUTDOWN == 10058);
static_assert(INFINITE == 0xFFFFFFFF);

TEST(Startup, GivesTheVersionAskedFor) {
  WSADATA data{};
  ASSERT_EQ(::WSAStartup(MAKEWORD(2, 2), &data), 0);
  EXPECT_EQ(data.wVersion, MAKEWORD(2, 2));
  EXPECT_EQ(::WSACleanup(), 0);
}

TEST(Startup, VersionZeroIsNotSupported) {
  WSADATA data{};
  EXPECT_EQ(::WSAStartup(MAKEWORD(0, 0), &data), WSAVERNOTSUPPORTED);   // returned, not left in the last error
}

TEST(Startup, IsCountedAndTheSocketsLiveUntilTheLastCleanup) {
  WSADATA data{};
  ASSERT_EQ(::WSAStartup(MAKEWORD(2, 2), &data), 0);
  Socket socket = tcp_socket();
  ASSERT_EQ(::WSACleanup(), 0);
  EXPECT_EQ(bind_to(socket, loopback()), 0);
}

TEST(Startup, WithoutItNothingWorks) {
  ASSERT_EQ(::WSACleanup(), 0);   // the environment's start: the last one
  EXPECT_TRUE(winsock_fails(::WSACleanup(), WSANOTINITIALISED));
  EXPECT_TRUE(socket_fails(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), WSANOTINITIALISED));
  WSADATA data{};
  ASSERT_EQ(::WSAStartup(MAKEWORD(2, 2), &data), 0);
  EXPECT_TRUE(tcp_socket().valid());
}

TEST(LastError, IsSetAndRead) {
  ::WSASetLastError(WSAEMFILE);
  EXPECT_EQ(::WSAGetLastError(), WSAEMFILE);
  ::SetLastError(ERROR_NOT_FOUND);
  EXPECT_EQ(::GetLastError(), static_cast<DWORD>(ERROR_NOT_FOUND));
}

TEST(LastError, OfWinsockAndOfWin32AreOne) {
  ::WSASetLastError(WSAEMFILE);
  EXPECT_EQ(::GetLastError(), static_cast<DWORD>(WSAEMFILE));
  ::SetLastError(ERROR_NOT_FOUND);
  EXPECT_EQ(::WSAGetLastError(), ERROR_NOT_FOUND);
}

TEST(LastError, BelongsToOneThread) {
  std::atomic<bool> failed{false};
  std::atomic<bool> read{false};
  int others = 0;
  std::thread other([&] {
    ::closesocket(INVALID_SOCKET);
    failed = true;
    while (!read) std::this_thread::yield();
    others = ::WSAGetLastError();
  });
  ::WSASetLastError(WSAEMFILE);
  while (!failed) std::this_thread::yield();
  const int own = ::WSAGetLastError();   // before join(), which may set it
  ::WSASetLastError(WSAEINTR);
  read = true;
  other.join();
  EXPECT_EQ(own, WSAEMFILE);
  EXPECT_EQ(others, WSAENOTSOCK);
}

TEST(ByteOrder, NetworkOrderIsBigEndian) {
  const std::uint16_t shorter = ::htons(0x1234);
  const std::uint32_t longer = ::htonl(0x12345678);
  unsigned char bytes[6];
  std::memcpy(bytes, &shorter, 2);
  std::memcpy(bytes + 2, &longer, 4);
  EXPECT_EQ(std::string(bytes, bytes + 6), std::string("\x12\x34\x12\x34\x56\x78"));
  EXPECT_EQ(::ntohs(shorter), 0x1234);
  EXPECT_EQ(::ntohl(longer), 0x12345678u);
}

TEST(AddressText, ReadsDottedNumbers) {
  in_addr address{};
  ASSERT_EQ(::inet_pton(AF_INET, "127.0.0.1", &address), 1);
  EXPECT_EQ(address.s_addr, ::htonl(INADDR_LOOPBACK));
  ASSERT_EQ(::inet_pton(AF_INET, "1.2.3.255", &address), 1);
  EXPECT_EQ(::ntohl(address.s_addr), 0x010203FFu);
}

TEST(AddressText, RefusesWhatIsNoAddress) {
  in_addr address{};
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.256", "1.2.3.4.5", " 1.2.3.4", "1.2.3.4 "}) {
    EXPECT_EQ(::inet_pton(AF_INET, text, &address), 0) << '"' << text << '"';
  }
}

TEST(AddressText, RefusesAnUnknownFamily) {
  char buffer[64];
  EXPECT_TRUE(winsock_fails(::inet_pton(9999, "1.2.3.4", buffer), WSAEAFNOSUPPORT));
  EXPECT_EQ(::inet_ntop(9999, buffer, buffer, sizeof buffer), nullptr);
  EXPECT_EQ(::WSAGetLastError(), WSAEAFNOSUPPORT);
}

TEST(AddressText, WritesDottedNumbers) {
  const sockaddr_in address = loopback();
  char text[INET_ADDRSTRLEN];
  ASSERT_EQ(::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text), text);
  EXPECT_STREQ(text, "127.0.0.1");
}

TEST(AddressText, TheBufferMustHoldTheZeroToo) {
  in_addr address{};
  ASSERT_EQ(::inet_pton(AF_INET, "11.22.33.44", &address), 1);
  char text[12];
  EXPECT_STREQ(::inet_ntop(AF_INET, &address, text, 12), "11.22.33.44");
  EXPECT_EQ(::inet_ntop(AF_INET, &address, text, 11), nullptr);
  EXPECT_TRUE(accepts_either<int>(::WSAGetLastError(), {ERROR_INVALID_PARAMETER}, {static_cast<int>(0xC000000D)},
                                  "inet_ntop with a short buffer leaves an NTSTATUS as its code"));
}

}  // namespace
