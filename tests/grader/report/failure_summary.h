// The parts of a failed test's output.
#pragma once

#include <string>
#include <vector>

#include "model.h"

namespace grader {

struct FailureSummary {
  std::vector<std::string> steps;  // "1. a client connects"
  std::string expected, observed;
  std::string rule;                // "one_recv (N7)"
  std::string broken;              // what broke the rule
  std::string notes;               // "N4, N7"
  std::string handout;             // "lab04_worker/README.md#step-3"
  std::vector<std::string> order;  // the scheduler's decisions that differ from the default
  std::vector<std::string> seen, causes;
  std::string rest;    // other output: a sanitizer's report, the student's own output
  std::string replay;  // the command that reproduces the failure
};

// Splits the output of a test. `file` is the one under test, `number` its lab's.
FailureSummary failure_summary_of(const TestResult& test, const std::string& file, int number);

}  // namespace grader
