// The parts of `lab trace`.
#pragma once

#include <string>
#include <vector>

#include "timeline.h"

namespace grader {

// One row for each lane, one column for a few events: which ran, which waited, what was outstanding. At most 100 wide.
std::vector<std::string> lanes_of(const Timeline& timeline);

// What happened, a line for each call, step and deed of a client, in the order in which they ended; at most 100 wide.
// Of more than `most` lines the middle is left out.
std::vector<std::string> lines_of(const Timeline& timeline, std::size_t most);

// The names of the error codes in it: "error 64: ERROR_NETNAME_DELETED".
std::vector<std::string> errors_of(const Timeline& timeline);

}  // namespace grader
