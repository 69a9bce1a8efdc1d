#include <cstdio>
#include <map>
#include <memory>

#include "bench.h"
#include "child_server.h"
#include "load.h"

namespace bench {
namespace {

std::vector<std::string> command(const Settings& settings, const std::string& program,
                                 const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  if (settings.wine_bin.empty()) {
    words = {(settings.bin / program).string()};
  } else {
    words = {settings.wine_run.string(), (settings.wine_bin / (program + ".exe")).string()};
  }
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace

void echo(const Settings& settings) {
  const bool wine = !settings.wine_bin.empty();
  std::printf("\nEcho of 32 bytes over loopback%s: round trips per second, median of %d rounds of %.1f s, interleaved\n",
              wine ? " on Wine" : "", settings.rounds, settings.seconds);
  std::printf("%8s %8s | %10s %10s %10s | %7s %7s | %8s\n", "workers", "clients", "lab04", "asio", "epoll", "/asio",
              "/epoll", "fairness");
  for (const unsigned workers : {1u, 2u}) {
    const std::string threads = std::to_string(workers);
    const std::vector<std::string> ours = {"--port", "0", "--threads", threads, "--max-clients", "1000"};
    for (const std::size_t clients : {1u, 50u, 500u}) {
      std::map<std::string, std::vector<double>> rates;
      std::vector<double> against_asio, against_epoll, fairness;
      for (int round = 0; round < settings.rounds; ++round) {
        progress("echo: " + threads + " workers, " + std::to_string(clients) + " clients, round " +
                 std::to_string(round + 1));
        const auto measure = [&](const std::string& program, const std::vector<std::string>& arguments) {
          ChildServer server(command(settings, program, arguments));
          const LoadResult result = run_load(server.port(), clients, settings.seconds);
          rates[program].push_back(result.round_trips_per_second);
          return result;
        };
        // The order rotates from round to round, so that none is always first.
        std::map<std::string, LoadResult> results;
        for (int i = 0; i < 3; ++i) {
          const int which = (i + round) % 3;
          if (which == 0) results["ours"] = measure("lab04_worker_solution", ours);
          if (which == 1) results["asio"] = measure("echo_asio", {threads});
          if (which == 2 && !wine) results["epoll"] = measure("echo_epoll", {threads});
        }
        const double rate = results["ours"].round_trips_per_second;
        against_asio.push_back(rate / results["asio"].round_trips_per_second);
        if (!wine) against_epoll.push_back(rate / results["epoll"].round_trips_per_second);
        fairness.push_back(results["ours"].fairness);
      }
      progress("");
      std::printf("%8u %8zu | %10.0f %10.0f ", workers, clients, median(rates["lab04_worker_solution"]),
                  median(rates["echo_asio"]));
      if (wine) {
        std::printf("%10s | %7.2f %7s | %8.2f\n", "-", median(against_asio), "-", median(fairness));
      } else {
        std::printf("%10.0f | %7.2f %7.2f | %8.2f\n", median(rates["echo_epoll"]), median(against_asio),
                    median(against_epoll), median(fairness));
      }
      std::fflush(stdout);
    }
  }
  std::printf("target: /asio at least %s\n", wine ? "0.95 with one worker" : "1.00, /epoll at least 0.75, fairness at least 0.8");
}

}  // namespace bench
