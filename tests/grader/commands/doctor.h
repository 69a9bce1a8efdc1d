// What the labs need of a machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace grader {

struct Finding {
  enum class State { ok, missing, too_old };
  std::string name;
  State state = State::missing;
  std::string detail;   // a version, or what is wrong
  std::string install;  // what to do about it
  bool needed = false;  // for the native labs
};

// "g++ (Debian 12.2.0-14) 12.2.0" -> {12, 2, 0}: the last number with a dot, of the first line. Empty when there is none.
std::vector<int> version_in(const std::string& text);

// What a program says of itself, judged by the least version. `output` is empty when it could not be run.
Finding judge_program(const std::string& name, const std::string& output, std::vector<int> least, const std::string& install, bool needed);

// Prints them. Returns an exit code: 0 when nothing that is needed lacks.
int print_findings(const std::vector<Finding>& findings);

}  // namespace grader
