// The commands that help a student at work. Each returns an exit code.
#pragma once

#include <string>

#include "workspace.h"

namespace grader {

// The labs, their points of the last check, and the next step. Builds nothing.
int status(const Workspace& workspace);

struct HintOptions {
  std::string lab;
  int todo = 0;        // 0: the first that is not written yet
  bool again = false;  // those that were shown before, and no new one
  bool all = false;
};
// One hint more than the last time.
int hint(const Workspace& workspace, const HintOptions& options);

// The starter again. What is there is kept beside it: x.cpp.bak-1, x.cpp.bak-2 ... Asks first, unless `yes`.
int reset(const Workspace& workspace, const std::string& lab, bool yes);

// The student's file and the solution, as a unified diff. Only for a file with full points, unless `force`.
int diff(const Workspace& workspace, const std::string& lab, bool force);

// What the labs need of this machine: ok, missing or too old, and what to install. 0 when the native labs can be done.
int doctor(const Workspace& workspace);

// Checks whenever the student's file is saved, the test that failed last first. Ctrl+C ends it.
int watch(const Workspace& workspace, const std::string& lab, unsigned jobs);

}  // namespace grader
