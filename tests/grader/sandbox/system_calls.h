// The system call filter for bubblewrap: rejects calls that no compiler and no lab needs and that often have kernel
// bugs.
#pragma once

#include <string>

namespace grader {

// Returns a seccomp program for `bwrap --seccomp`, or an empty string on an unknown processor. Rejected calls fail with
// EPERM.
std::string system_call_filter();

}  // namespace grader
