// lab_bench: what the labs cost, as ratios measured in one run.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "bench.h"

namespace bench {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void progress(const std::string& what) {
  if (::isatty(STDERR_FILENO)) std::fprintf(stderr, "\r\033[K%s", what.c_str());
}

}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app{"Measures the labs. Every figure is the median of interleaved rounds of one run; compare figures of one "
               "run only."};
  app.name("lab bench");
  bench::Settings settings;
  settings.bin = std::filesystem::canonical("/proc/self/exe").parent_path();
  std::vector<std::string> parts = {"echo", "pool", "memory", "buffers"};
  app.add_option("--only", parts, "which parts: echo, pool (with reassembly), memory, buffers")
      ->delimiter(',')
      ->check(CLI::IsMember({"echo", "pool", "memory", "buffers"}));
  app.add_option("--rounds", settings.rounds, "rounds for each median")->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--seconds", settings.seconds, "seconds per server and round")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  app.add_option("--wine-bin", settings.wine_bin, "folder of Windows programs: measure these in the part `echo`, by Wine")
      ->check(CLI::ExistingDirectory);
  app.add_option("--wine-run", settings.wine_run, "the runner for them (platform/windows/wine-run)")
      ->check(CLI::ExistingFile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (settings.wine_bin.empty() != settings.wine_run.empty()) {
    std::fprintf(stderr, "error: --wine-bin and --wine-run go together\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);

  const auto wanted = [&](const char* part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
  try {
    if (wanted("echo")) bench::echo(settings);
    if (wanted("pool")) bench::pool_and_reassembly(settings);
    if (wanted("memory")) bench::memory(settings);
    if (wanted("buffers")) bench::buffers(settings);
    return 0;
  } catch (const std::exception& error) {
    bench::progress("");
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
