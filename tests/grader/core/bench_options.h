// The options of `lab bench` and `lab bench N`. The tool checks them before it builds the programs that read them:
// lab_bench (tests/bench/main.cpp) and lab_versus (tests/bench/versus.cpp).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace bench {

struct BenchOptions {
  std::vector<std::string> parts = {"echo", "pool", "memory", "buffers"};
  int rounds = 5;
  double seconds = 1.0;            // per server and round
  std::filesystem::path wine_bin;  // programs for Wine; empty: the native ones are measured
  std::filesystem::path wine_run;  // the runner for them
};

inline void add_options(CLI::App& app, BenchOptions& options) {
  app.name("lab bench");
  app.description("Measures the labs. Every figure is the median of interleaved rounds of one run; compare figures of one run only.");
  app.add_option("--only", options.parts, "which parts: echo, pool (with reassembly), memory, buffers")
      ->delimiter(',')
      ->check(CLI::IsMember({"echo", "pool", "memory", "buffers"}));
  app.add_option("--rounds", options.rounds, "rounds for each median")->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--seconds", options.seconds, "seconds per server and round")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  CLI::Option* const wine_bin =
      app.add_option("--wine-bin", options.wine_bin, "folder of Windows programs: measure these in the part `echo`, by Wine")
          ->check(CLI::ExistingDirectory);
  CLI::Option* const wine_run = app.add_option("--wine-run", options.wine_run, "the runner for them (platform/windows/wine-run)")
                                    ->check(CLI::ExistingFile);
  wine_bin->needs(wine_run);
  wine_run->needs(wine_bin);
}

struct VersusOptions {
  bool solution = false;  // the reference is measured against itself
  int rounds = 11;
  double seconds = 0.5;        // per server and round
  std::filesystem::path svg;   // empty: none
};

inline void add_options(CLI::App& app, VersusOptions& options) {
  app.name("lab bench N");
  app.description("Measures your server of a lab and the reference in one run. Compare figures of one run only.");
  app.add_flag("--solution", options.solution, "measure the reference against itself: how near to 1 are the ratios on this machine?");
  app.add_option("--rounds", options.rounds, "rounds for each median")->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--seconds", options.seconds, "seconds per server and round")->check(CLI::Range(0.1, 60.0))->capture_default_str();
  app.add_option("--svg", options.svg, "the file of the picture; it is build/bench/LAB.svg by default");
}

}  // namespace bench
