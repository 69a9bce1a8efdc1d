// The options of `lab grade` and `lab compare` that decide a grade.
#pragma once

#include <string>
#include <vector>

namespace grader {

// How a submission is graded.
struct GradingOptions {
  std::vector<std::string> labs;  // numbers; empty: all
  std::string platform;           // empty: the default
  std::string seed;
  double timeout = 0;            // seconds per test; 0: the test's own limit
  int again = 2;                 // number of repetitions of a failed test
  bool sanitizers = false;       // natively and under each sanitizer: a point requires a pass on all of them
  bool without_sandbox = false;  // if bubblewrap does not run: with limits only
  unsigned jobs = 1;
};

}  // namespace grader
