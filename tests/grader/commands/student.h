// The commands that help a student. Each returns an exit code.
#pragma once

#include <string>

#include "workspace.h"

namespace grader {

// Shows the labs, their points of the last check, and the next step. Builds nothing.
int status(const Workspace& workspace);

struct HintOptions {
  std::string lab;
  int todo = 0;        // 0: the first that is not written yet
  bool again = false;  // only those that were shown before
  bool all = false;
};
// Shows one more hint than the last time.
int hint(const Workspace& workspace, const HintOptions& options);

// Restores the starter. Keeps the old file next to it: x.cpp.bak-1, x.cpp.bak-2 ... Asks first, unless `yes`.
int reset(const Workspace& workspace, const std::string& lab, bool yes);

// Shows the differences between the student's file and the solution, as a unified diff. Only if the file has full
// points, unless `force`.
int diff(const Workspace& workspace, const std::string& lab, bool force);

// Shows what the labs need on this machine: ok, missing or too old, and what to install. Returns 0 if the native labs
// can be done.
int doctor(const Workspace& workspace);

// Checks whenever the student's file is saved, first the test that failed last. Ctrl+C ends it.
int watch(const Workspace& workspace, const std::string& lab, unsigned jobs);

}  // namespace grader
