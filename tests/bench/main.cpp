// lab_bench: measures the labs, as ratios within one run.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include "bench.h"
#include "bench_options.h"

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
  CLI::App app;
  bench::BenchOptions options;
  bench::add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const bench::Settings settings = {std::filesystem::canonical("/proc/self/exe").parent_path(), options.wine_bin, options.wine_run,
                                    options.rounds, options.seconds};
  std::signal(SIGPIPE, SIG_IGN);

  const auto wanted = [&](const char* part) { return std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end(); };
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
