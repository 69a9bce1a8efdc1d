// The parts of lab_bench. Each prints its own table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bench {

struct Settings {
  std::filesystem::path bin;         // folder of the programs of this build
  std::filesystem::path wine_bin;    // programs for Wine; if empty, the native ones are measured
  std::filesystem::path wine_run;    // the runner for them
  int rounds = 0;                    // number of interleaved rounds for each median
  double seconds = 0;                // per server and round
};

void echo(const Settings& settings);        // lab 4 against Asio and against a bare epoll loop
void pool_and_reassembly(const Settings& settings);
void memory(const Settings& settings);      // resident bytes per idle client
void buffers(const Settings& settings);     // throughput by size of the receive buffer (N17)

double median(std::vector<double> values);
void progress(const std::string& what);     // one line, redrawn; only on a terminal

}  // namespace bench
