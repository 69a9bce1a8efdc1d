// The minimum of work for an echo server, for comparison. Each thread has its own epoll and its own clients; no locks,
// no objects, no ordering. Usage: echo_epoll THREADS. It runs until it is killed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

void serve(int poll) {
  epoll_event events[64];
  char buffer[4096];
  for (;;) {
    const int count = ::epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
      if (size <= 0 || ::send(fd, buffer, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size) ::close(fd);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 4096) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("echo_epoll");
    return 1;
  }
  std::printf("listening on port %u\n", ntohs(address.sin_port));
  std::fflush(stdout);

  std::vector<int> polls;
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    polls.push_back(::epoll_create1(0));
    pool.emplace_back(serve, polls.back());
  }
  for (std::size_t next = 0;; ++next) {
    const int fd = ::accept(listener, nullptr, nullptr);
    if (fd < 0) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(polls[next % polls.size()], EPOLL_CTL_ADD, fd, &event);
  }
}
