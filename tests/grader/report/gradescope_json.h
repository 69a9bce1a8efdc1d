// A grade in the form that Gradescope reads: /autograder/results/results.json.
#pragma once

#include <set>
#include <string>

#include "results.h"

namespace grader {

// One entry for each test; one for a lab that was not handed in or does not compile. Paths below `root` are made short.
// A student sees the tests of `hidden`, which no handout has, when the grades are published.
std::string to_gradescope(const Grade& grade, const std::filesystem::path& root, const std::set<std::string>& hidden = {});

}  // namespace grader
