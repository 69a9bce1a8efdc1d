// lab_versus: measures the student's server against the reference, round by round in one run.
//
// Exit codes: 0 measured; 1 a server misbehaved; 2 bad options; 130 interrupted.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstdio>
#include <exception>
#include <fstream>
#include <thread>

#include "bench_options.h"
#include "figures.h"
#include "handles.h"
#include "versus_load.h"

namespace {

std::atomic<bool> stop{false};

void progress(int round, int rounds, const char* whose) {
  static const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (terminal) std::fprintf(stderr, "\r\033[Kround %d of %d, %s", round, rounds, whose);
}

void clear_progress() {
  if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
}

struct Options : bench::VersusOptions {
  int lab = 0;
  std::filesystem::path yours, reference;
  std::string name = "yours", against;  // empty: the reference
};

// Returns the reason of an error; for an unwritten TODO only its name.
std::string why(const std::string& error) {
  const std::string mark = "not started: ";
  const std::size_t at = error.find(mark);
  if (at == std::string::npos) return ": " + error;
  const std::string todo = error.substr(at + mark.size());
  return ": " + todo.substr(0, todo.find('\n')) + " is not written yet";
}

// Measures the two servers alternately, and alternates which is first, so that changes of the machine's speed affect
// both.
std::vector<bench::Round> run_rounds(const Options& options, const bench::Course& course, std::string& failure) {
  std::vector<bench::Round> rounds;
  for (int i = 0; i < options.rounds && !stop; ++i) {
    bench::Round round;
    for (const int turn : {i % 2, 1 - i % 2}) {
      const bool yours = turn == 0;
      if (stop) break;
      progress(i + 1, options.rounds, yours ? "yours" : "the reference");
      try {
        (yours ? round.yours : round.reference) = bench::measure(course, yours ? options.yours : options.reference, options.seconds, stop);
      } catch (const std::exception& error) {
        if (!stop) failure = (yours ? options.name : options.against.empty() ? "the reference" : options.against) + why(error.what());
        return rounds;
      }
    }
    if (!stop) rounds.push_back(round);
  }
  return rounds;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app;
  Options options;
  bench::add_options(app, options);
  app.add_option("--lab", options.lab)->required()->check(CLI::Range(1, 6))->group("");
  app.add_option("--yours", options.yours)->required()->check(CLI::ExistingFile)->group("");
  app.add_option("--reference", options.reference)->required()->check(CLI::ExistingFile)->group("");
  app.add_option("--name", options.name)->group("");
  app.add_option("--against", options.against)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, [](int) { stop = true; });
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;  // servers inherit it
  ::setrlimit(RLIMIT_NOFILE, &files);

  const lab::WinsockSession winsock;
  const bench::Course course = bench::course_of(options.lab);
  std::string failure;
  const std::vector<bench::Round> rounds = run_rounds(options, course, failure);
  clear_progress();
  if (!rounds.empty()) {
    const std::vector<bench::Figure> figures = bench::figures_of(rounds, course.message);
    const std::string title = options.name + " against " + (options.against.empty() ? "the reference" : options.against);
    const std::string table = options.against.empty() ? bench::table_of(figures) : bench::table_of(figures, options.name, options.against);
    std::printf("%s: %zu rounds of %.1f s each, interleaved; medians\n%s", title.c_str(), rounds.size(), options.seconds, table.c_str());
    if (!options.svg.empty()) {
      std::filesystem::create_directories(std::filesystem::absolute(options.svg).parent_path());
      std::ofstream stream(options.svg);
      stream << bench::svg_of(figures, rounds, title) << std::flush;
      if (stream) std::printf("picture: %s\n", options.svg.c_str());
      else std::fprintf(stderr, "error: %s could not be written\n", options.svg.c_str());
    }
  }
  double load = 0;
  const unsigned processors = std::max(1u, std::thread::hardware_concurrency());
  if (!rounds.empty() && ::getloadavg(&load, 1) == 1 && load > processors + 3) {  // the benchmark itself causes about 3
    std::printf("this machine has other work (load %.0f on %u processors): the counts are reliable, the times less so\n", load, processors);
  }
  if (!failure.empty()) {
    std::fprintf(stderr, "not measured%s: %s\n", rounds.empty() ? "" : " further", failure.c_str());
    return 1;
  }
  if (!stop) return 0;
  std::printf("interrupted: %zu of %d rounds were measured\n", rounds.size(), options.rounds);
  return 130;
}
