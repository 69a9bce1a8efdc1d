// What the labs need on a machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace grader {

struct Finding {
  enum class State { ok, missing, too_old };
  std::string name;
  State state = State::missing;
  std::string detail;   // a version, or the error
  std::string install;  // package to install
  bool needed = false;  // for the native labs
};

// Returns {12, 2, 0} for "g++ (Debian 12.2.0-14) 12.2.0": the last number with a dot in the first line, or an empty
// vector.
std::vector<int> version_in(const std::string& text);

// Compares a program's version with the minimum. `output` is what the program prints about itself, or empty if it could
// not be run.
Finding judge_program(const std::string& name, const std::string& output, std::vector<int> least, const std::string& install, bool needed);

// Prints the findings. Returns an exit code: 0 if everything that is needed is installed.
int print_findings(const std::vector<Finding>& findings);

}  // namespace grader
