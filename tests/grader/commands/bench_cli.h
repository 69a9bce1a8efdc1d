// The command lines of `lab bench` and `lab bench N`.
#pragma once

#include <string>
#include <vector>

#include "workspace.h"

namespace grader {

// Checks the arguments, and then runs the measurements. Shows help and errors before anything is built.
int measure(const Workspace& workspace, const std::string& platform, std::vector<std::string> arguments, unsigned jobs);

}  // namespace grader
