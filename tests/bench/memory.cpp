#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "bench.h"
#include "child_server.h"
#include "load.h"

namespace bench {
namespace {

// Waits until the server's size has been constant for 200 ms, because it may still be accepting.
std::size_t settled_size(const ChildServer& server) {
  std::size_t last = 0;
  int same = 0;
  for (int i = 0; i < 500 && same < 20; ++i) {
    const std::size_t now = server.resident_bytes();
    same = now == last ? same + 1 : 0;
    last = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return last;
}

}  // namespace

void memory(const Settings& settings) {
  std::printf("\nMemory per idle client: resident bytes of the server, without the kernel's own; median of %d rounds\n",
              settings.rounds);
  std::printf("%16s %8s | %14s\n", "server", "clients", "bytes/client");
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;  // child processes inherit it
  ::setrlimit(RLIMIT_NOFILE, &files);
  for (const std::string& program : {std::string("lab04_worker_solution"), std::string("lab06_pool_solution")}) {
    for (const std::size_t clients : {1000u, 10000u}) {
      if (files.rlim_cur < clients + 100) {
        std::printf("%16s %8zu | not measured: only %llu files may be open\n", program.c_str(), clients,
                    static_cast<unsigned long long>(files.rlim_cur));
        continue;
      }
      std::vector<double> sizes;
      for (int round = 0; round < settings.rounds; ++round) {
        progress("memory: " + program + ", " + std::to_string(clients) + " clients, round " + std::to_string(round + 1));
        ChildServer server({(settings.bin / program).string(), "--port", "0", "--threads", "1", "--max-clients", "20000"});
        const std::size_t before = settled_size(server);
        const Connections idle(server.port(), clients);
        sizes.push_back(static_cast<double>(settled_size(server) - before) / static_cast<double>(clients));
      }
      progress("");
      std::printf("%16.*s %8zu | %14.0f\n", static_cast<int>(program.find("_solution")), program.c_str(), clients,
                  median(sizes));
    }
  }
}

}  // namespace bench
