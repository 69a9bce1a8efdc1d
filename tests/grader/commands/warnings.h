// Finds the warnings of a compiler that does not build the project.
#pragma once

#include <string>
#include <vector>

#include "progress.h"
#include "workspace.h"

namespace grader {

struct Warned {
  std::string source;  // relative to the root
  std::string output;  // the compiler's messages
};

// Checks each source of the project that Ninja compiles on `platform` with `compiler`, without writing an object.
// Returns those that have warnings or errors.
std::vector<Warned> warnings_of(const Workspace& workspace, const Platform& platform, const std::string& compiler, unsigned jobs,
                                Progress& progress);

}  // namespace grader
