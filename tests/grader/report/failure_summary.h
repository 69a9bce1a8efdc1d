// A failed test as a person reads it, part by part.
#pragma once

#include <string>
#include <vector>

#include "model.h"

namespace grader {

struct Card {
  std::vector<std::string> steps;  // "1. a client connects"
  std::string expected, observed;
  std::string rule;                // "one_recv (N7)"
  std::string broken;              // what broke the rule
  std::string notes;               // "N4, N7"
  std::string handout;             // "lab04_worker/README.md#step-3"
  std::vector<std::string> order;  // decisions of the scheduler that were not the usual ones
  std::vector<std::string> seen, causes;
  std::string rest;                // what else was printed: a sanitizer's report, the student's own words
  std::string replay;              // the command that shows it again
};

// `file` is the one under test, `number` its lab's.
Card card_of(const TestResult& test, const std::string& file, int number);

}  // namespace grader
