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
  double timeout = 0;             // seconds for each test; 0: its own limit
  int again = 2;                  // a failed test is run this often again: does it fail always?
  bool sanitizers = false;        // natively and under each sanitizer: a point needs a pass on all of them
  bool without_sandbox = false;   // where bubblewrap does not run: with limits only
  unsigned jobs = 1;
};

}  // namespace grader
