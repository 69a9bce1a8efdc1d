// The parts of the output of `lab trace`.
#pragma once

#include <string>
#include <vector>

#include "timeline.h"

namespace grader {

// Returns one row per lane and one column for a few events: which thread ran, which waited, what was outstanding. At
// most 100 wide.
std::vector<std::string> lanes_of(const Timeline& timeline);

// Returns a line for each call, step and client action, in the order in which they ended; at most 100 wide. If there
// are more than `most` lines, the middle is left out.
std::vector<std::string> lines_of(const Timeline& timeline, std::size_t most);

// Returns the names of the error codes in the timeline: "error 64: ERROR_NETNAME_DELETED".
std::vector<std::string> errors_of(const Timeline& timeline);

}  // namespace grader
