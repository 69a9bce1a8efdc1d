// The statistics of `lab bench N`: the results of two servers in interleaved rounds, side by side.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

constexpr int kPercentiles = 99;  // 1 to 99

// The results of one server in one round.
struct Sample {
  double rate = 0;              // messages per second
  std::vector<double> latency;  // microseconds: latency[p - 1] is percentile p
  double cpu = 0;               // microseconds of the server's processor time per message; 0: unknown
  double calls = -1;            // of GetQueuedCompletionStatus per message; below 0: not used by the lab
  double news = 0;              // calls of operator new per message
  double bytes = -1;            // received per position that was sent; below 0: not used by the lab
};

// One round: the student's server and the reference, one directly after the other.
struct Round {
  Sample yours, reference;
};

// One row of the table. Each of the first two values is a median over the rounds; the ratio is the median of the
// rounds' ratios.
struct Figure {
  std::string name;
  double yours = 0;
  double reference = 0;
  bool has_ratio = false;      // false if the reference is about 0
  double ratio = 0;
  double lower = 0, upper = 0;  // half of the rounds' ratios are between these
  bool more_is_better = false;
};

// Returns the quantile for this share (0 to 1), or 0 if there are no values. 0.5 is the median.
double quantile_of(std::vector<double> values, double share);
inline double median_of(std::vector<double> values) { return quantile_of(std::move(values), 0.5); }

// Computes the statistics. `message` is the counted item: "echo".
std::vector<Figure> figures_of(const std::vector<Round>& rounds, const std::string& message);

// Returns the table for the console, at most 100 wide: the values, and a bar for each ratio. The names are the column
// heads.
std::string table_of(const std::vector<Figure>& figures, const std::string& yours = "yours", const std::string& reference = "reference");

// Returns a chart of them and of the latency of each percentile, as one self-contained SVG file.
std::string svg_of(const std::vector<Figure>& figures, const std::vector<Round>& rounds, const std::string& title);

}  // namespace bench
