// Plays the game of labs 5 and 6 with many bots, checks what the server tells them, and measures it.
//
// Exit codes: 0 all was right; 1 a check failed, the line says which bot saw what; 2 bad options; 3 no connection.
// Ctrl+C ends it early, with what was measured until then.
#include <cinttypes>
#include <cstdio>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include <CLI/CLI.hpp>

#include "bots.h"
#include "handles.h"

namespace {

enum ExitCode : int { kExitOk = 0, kExitCheckFailed = 1, kExitBadOptions = 2, kExitNoConnection = 3 };

std::atomic<bool> stop{false};

BOOL WINAPI on_console(DWORD) {
  stop = true;
  return TRUE;
}

bool is_terminal() {
#ifdef _WIN32
  return ::_isatty(1) != 0;
#else
  return ::isatty(STDOUT_FILENO) != 0;
#endif
}

double milliseconds(std::uint64_t microseconds) { return static_cast<double>(microseconds) / 1000; }

// A line each second from the third on: over itself on a terminal, one below the other in a file.
class Progress {
 public:
  void show(const bots::Report& report) {
    if (++seconds_ > 2) {
      std::printf("%s%5.0f s  %9" PRIu64 " moves/s  %10" PRIu64 " positions/s  p99 %.1f ms%s", terminal_ ? "\r" : "",
                  report.seconds, report.moves - moves_, report.positions - positions_,
                  milliseconds(report.latency.percentile(0.99)), terminal_ ? "    " : "\n");
      std::fflush(stdout);
    }
    moves_ = report.moves;
    positions_ = report.positions;
  }
  void end() const {
    if (terminal_ && seconds_ > 2) std::printf("\n");
  }

 private:
  const bool terminal_ = is_terminal();
  unsigned seconds_ = 0;
  std::uint64_t moves_ = 0;
  std::uint64_t positions_ = 0;
};

void print(const bots::Report& report) {
  const auto per_second = [&](std::uint64_t count) {
    return report.seconds > 0 ? static_cast<double>(count) / report.seconds : 0.0;
  };
  std::printf("played %.2f s, %" PRIu64 " log-ins\n", report.seconds, report.logins);
  std::printf("moves: %" PRIu64 ", %.0f/s\n", report.moves, per_second(report.moves));
  std::printf("positions told: %" PRIu64 ", %.0f/s\n", report.positions, per_second(report.positions));
  std::printf("bytes: %" PRIu64 " sent, %" PRIu64 " received, %.2f MB/s\n", report.bytes_sent, report.bytes_received,
              per_second(report.bytes_received) / 1e6);
  const auto& latency = report.latency;
  std::printf("from move to own position: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms\n",
              milliseconds(latency.percentile(0.5)), milliseconds(latency.percentile(0.9)),
              milliseconds(latency.percentile(0.99)), milliseconds(latency.max()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Plays the game of labs 5 and 6 with many bots that check all that the server tells them.\n"
               "Exit codes: 0 all was right, 1 a check failed, 2 bad options, 3 no connection."};
  bots::Options options;
  double patience = 10;
  app.add_option("--host", options.host, "the server's IPv4 address")->check(CLI::ValidIPV4)->capture_default_str();
  app.add_option("--port", options.port, "the server's port")->check(CLI::Range(1, 65535))->capture_default_str();
  app.add_option("--bots", options.bots, "how many")->check(CLI::Range(1, 10000))->capture_default_str();
  const auto seconds = app.add_option("--seconds", options.seconds, "how long to play")
                           ->check(CLI::Range(0.1, 86400.0))
                           ->capture_default_str();
  app.add_option("--moves", options.moves, "play until each bot has made so many moves")
      ->check(CLI::PositiveNumber)
      ->excludes(seconds);
  app.add_option("--rate", options.rate, "moves per second and bot; 0: the next when the last is answered")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--churn", options.churn, "log out and in again after about so many moves; 0: never")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--view", options.view, "the server's --view")->check(CLI::Range(0, 255))->capture_default_str();
  app.add_option("--patience", patience, "seconds that an answer may take")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of ways and log-outs")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitBadOptions;
  }
  options.patience = std::chrono::milliseconds(static_cast<std::int64_t>(patience * 1000));
  options.stop = &stop;
  Progress progress;
  options.on_second = [&](const bots::Report& report) { progress.show(report); };

  lab::WinsockSession winsock;
  ::SetConsoleCtrlHandler(&on_console, TRUE);
  const bots::Report report = bots::run(options);
  progress.end();
  if (report.outcome == bots::Outcome::no_connection) {
    std::fprintf(stderr, "error: no connection to %s\n", report.failure.c_str());
    return kExitNoConnection;
  }
  print(report);
  if (report.outcome == bots::Outcome::check_failed) {
    std::fprintf(stderr, "check failed: %s\n", report.failure.c_str());
    return kExitCheckFailed;
  }
  return kExitOk;
}
