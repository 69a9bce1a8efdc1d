// The filter of system calls for bubblewrap: what no compiler and no lab needs, and where faults of kernels are found.
#pragma once

#include <string>

namespace grader {

// A seccomp program as `bwrap --seccomp` reads it. Calls that it refuses fail with EPERM. Empty on an unknown processor.
std::string system_call_filter();

}  // namespace grader
