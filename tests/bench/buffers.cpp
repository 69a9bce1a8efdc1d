// Measures sizes of the receive buffer (N17). One sender sends bytes over loopback; a completion port receives them
// with buffers of different sizes.
#include <cstdio>
#include <thread>

#include "bench.h"
#include "iocp_register.h"

namespace bench {
namespace {

constexpr std::size_t kTotal = 16u << 20;  // bytes per run

struct Pair {
  lab::UniqueSocket sender, receiver;
};

Pair connected_pair() {
  const lab::UniqueSocket listener = lab::open_listener(0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(lab::bound_port(listener));
  lab::UniqueSocket sender(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (::connect(sender.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == SOCKET_ERROR) {
    lab::throw_socket_error("connect");
  }
  lab::UniqueSocket receiver(::accept(listener.get(), nullptr, nullptr));
  if (!receiver.valid()) lab::throw_socket_error("accept");
  return {std::move(sender), std::move(receiver)};
}

struct Result {
  double megabytes_per_second = 0;
  double completions_per_megabyte = 0;
};

Result run(std::size_t size) {
  const Pair pair = connected_pair();
  const lab::UniqueHandle port = lab::create_port(1);
  if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(pair.receiver.get()), port.get(), 1, 0) == nullptr) {
    lab::throw_socket_error("CreateIoCompletionPort");
  }
  std::jthread sender([&] {
    const std::vector<char> block(64 * 1024);
    for (std::size_t sent = 0; sent < kTotal;) {
      const int count = ::send(pair.sender.get(), block.data(), static_cast<int>(block.size()), 0);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  });

  std::vector<char> buffer(size);
  std::size_t received = 0;
  std::size_t completions = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (received < kTotal) {
    OVERLAPPED overlapped{};
    WSABUF room{static_cast<ULONG>(size), buffer.data()};
    DWORD flags = 0;
    if (::WSARecv(pair.receiver.get(), &room, 1, nullptr, &flags, &overlapped, nullptr) != 0 &&
        ::WSAGetLastError() != WSA_IO_PENDING) {
      lab::throw_socket_error("WSARecv");
    }
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* done = nullptr;
    if (!::GetQueuedCompletionStatus(port.get(), &bytes, &key, &done, 5000) || bytes == 0) {
      lab::throw_socket_error("GetQueuedCompletionStatus", static_cast<int>(::GetLastError()));
    }
    received += bytes;
    ++completions;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  const double megabytes = static_cast<double>(received) / 1e6;
  return {megabytes / elapsed.count(), static_cast<double>(completions) / megabytes};
}

}  // namespace

void buffers(const Settings& settings) {
  const std::vector<std::size_t> sizes = {64, 512, 4096, 65536};
  std::vector<std::vector<double>> speeds(sizes.size()), completions(sizes.size());
  const lab::WinsockSession winsock;
  for (int round = 0; round < settings.rounds; ++round) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      progress("receive buffers of " + std::to_string(sizes[i]) + " bytes, round " + std::to_string(round + 1));
      const Result result = run(sizes[i]);
      speeds[i].push_back(result.megabytes_per_second);
      completions[i].push_back(result.completions_per_megabyte);
    }
  }
  progress("");
  std::printf("\nReceive buffer (N17): %zu MB through one connection, median of %d rounds, interleaved\n", kTotal >> 20,
              settings.rounds);
  std::printf("%8s | %10s %16s | %14s\n", "bytes", "MB/s", "completions/MB", "against 4096");
  const double base = median(speeds[2]);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::printf("%8zu | %10.0f %16.0f | %14.2f\n", sizes[i], median(speeds[i]), median(completions[i]),
                median(speeds[i]) / base);
  }
}

}  // namespace bench
