// Not a submission: a program that tests the limits of the sandbox. It prints "open: WHAT" for each one that does not
// hold.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_wall(const char* what) { std::printf("open: %s\n", what); }

int main(int argc, char** argv) {  // the grader's process ID; then paths that must not be visible, one per argument
  for (int i = 2; i < argc; ++i) {
    if (std::filesystem::exists(argv[i])) open_wall(argv[i]);
  }
  for (const char* const file : {"/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/sys/kernel"}) {
    if (::access(file, R_OK) == 0) open_wall(file);
  }
  for (const char* const folder : {"/", "/usr", "/dev", "/dev/shm", "/etc"}) {
    if (std::ofstream(std::string(folder) + "/lab_probe")) open_wall(folder);
  }
  {  // 160 MB into the two folders that it may write
    long long written = 0;
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 160; ++i) {
      std::ofstream file((i % 2 == 0 ? std::string("/tmp/") : std::string("./")) + std::to_string(i));
      if (file << piece << std::flush) written += 1 << 20;
    }
    if (written > (140 << 20)) open_wall("disk");
  }
  {  // the external network; does not wait for an answer
    const int link = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(0xC0000201);  // 192.0.2.1, which is reserved for documentation
    if (::connect(link, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) open_wall("network");
    ::close(link);
  }
  {  // its private loopback must work
    const int server = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool works = ::bind(server, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(server, 1) == 0 &&
                       ::getsockname(server, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
                       ::connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0;
    if (!works) std::puts("no loopback");
  }
  std::error_code error;
  std::filesystem::remove_all(std::filesystem::read_symlink("/proc/self/exe", error).parent_path(), error);
  std::filesystem::remove_all(std::filesystem::current_path(), error);
  if (::kill(std::atoi(argv[1]), 0) == 0 || ::kill(-1, 0) == 0) open_wall("other processes");
  int children = 0;
  for (; children < 100; ++children) {  // its limit is 50
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      ::usleep(300'000);
      std::_Exit(0);
    }
  }
  if (children == 100) open_wall("processes");
  while (::wait(nullptr) > 0) {
  }
  if (void* const block = std::malloc(3ull << 30); block != nullptr) {  // its limit is 2 GB
    open_wall("memory");
    std::free(block);
  }
  {  // calls that the filter rejects before the kernel checks their arguments
    const struct {
      const char* what;
      long number;
    } calls[] = {{"bpf", SYS_bpf}, {"io_uring_setup", SYS_io_uring_setup}, {"perf_event_open", SYS_perf_event_open}, {"keyctl", SYS_keyctl},
                 {"unshare", SYS_unshare}, {"userfaultfd", SYS_userfaultfd}, {"process_vm_readv", SYS_process_vm_readv}, {"mount", SYS_mount}};
    for (const auto& call : calls) {
      errno = 0;
      if (::syscall(call.number, -1L, -1L, -1L, -1L, -1L) != -1 || errno != EPERM) open_wall(call.what);
    }
    errno = 0;
    if (::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0L, 0L, 0L, 0L) != -1 || errno != EPERM) open_wall("clone");
  }
  ::kill(::getppid(), SIGKILL);
  if (::geteuid() == 0) open_wall("root");
  std::puts("probed");
}
