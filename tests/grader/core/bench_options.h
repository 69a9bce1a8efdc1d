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
  std::filesystem::path wine_bin;  // programs for Wine; if empty, the native ones are measured
  std::filesystem::path wine_run;  // the runner for them
};

inline void add_options(CLI::App& app, BenchOptions& options) {
  app.name("lab bench");
  app.description(
      "Measure the labs. Every number is the median of interleaved rounds of one run. Compare only numbers of the "
      "same run.");
  app.add_option("--only", options.parts, "run only these parts: echo, pool (with reassembly), memory, buffers")
      ->delimiter(',')
      ->check(CLI::IsMember({"echo", "pool", "memory", "buffers"}));
  app.add_option("--rounds", options.rounds, "take each median of this many rounds")
      ->check(CLI::Range(1, 99))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "measure each server for this many seconds per round")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  CLI::Option* const wine_bin =
      app.add_option("--wine-bin", options.wine_bin,
                     "measure the Windows programs of this folder under Wine, in the part echo")
          ->check(CLI::ExistingDirectory);
  CLI::Option* const wine_run =
      app.add_option("--wine-run", options.wine_run, "run them with this program (platform/windows/wine-run)")
          ->check(CLI::ExistingFile);
  wine_bin->needs(wine_run);
  wine_run->needs(wine_bin);
}

struct VersusOptions {
  bool solution = false;  // measure the reference against itself
  int rounds = 11;
  double seconds = 0.5;        // per server and round
  std::filesystem::path svg;   // empty: no picture
};

inline void add_options(CLI::App& app, VersusOptions& options) {
  app.name("lab bench N");
  app.description("Measure your server of a lab and the reference in one run. Compare only numbers of the same run.");
  app.add_flag("--solution", options.solution,
               "measure the reference against itself: shows how close to 1 the ratios are on this machine");
  app.add_option("--rounds", options.rounds, "take each median of this many rounds")
      ->check(CLI::Range(1, 99))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "measure each server for this many seconds per round")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  app.add_option("--svg", options.svg, "write the chart to this file (default: build/bench/LAB.svg)");
}

}  // namespace bench
