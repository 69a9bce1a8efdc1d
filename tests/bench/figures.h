// The figures of `lab bench N`: what two servers did in interleaved rounds, side by side.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

constexpr int kPercentiles = 99;  // 1 to 99

// What one server did in one round.
struct Sample {
  double rate = 0;              // messages per second
  std::vector<double> latency;  // microseconds: latency[p - 1] is percentile p
  double cpu = 0;               // microseconds of the server's processor time for each message; 0: not known
  double calls = -1;            // of GetQueuedCompletionStatus for each message; below 0: the lab has none
  double news = 0;              // calls of operator new for each message
  double bytes = -1;            // received for each position that was told; below 0: the lab tells none
};

// One round: the student's server and the reference, one right after the other.
struct Round {
  Sample yours, reference;
};

// One row of the table. Each of the first two is a median over the rounds; the ratio is the median of the rounds' ratios.
struct Figure {
  std::string name;
  double yours = 0;
  double reference = 0;
  bool has_ratio = false;      // not when the reference is about 0
  double ratio = 0;
  double lower = 0, upper = 0;  // half of the rounds' ratios lie between
  bool more_is_better = false;
};

// The value that this share of all (0 to 1) does not reach; 0 when there are none. 0.5 is the median.
double quantile_of(std::vector<double> values, double share);
inline double median_of(std::vector<double> values) { return quantile_of(std::move(values), 0.5); }

// `message` is what is counted: "echo".
std::vector<Figure> figures_of(const std::vector<Round>& rounds, const std::string& message);

// For the console, at most 100 wide: the figures, and a bar for each ratio. The names head the columns.
std::string table_of(const std::vector<Figure>& figures, const std::string& yours = "yours", const std::string& reference = "reference");

// A picture of them, and of the latency of each percentile. One SVG file that needs nothing else.
std::string svg_of(const std::vector<Figure>& figures, const std::vector<Round>& rounds, const std::string& title);

}  // namespace bench
