// Converts a grade to the format of Gradescope: /autograder/results/results.json.
#pragma once

#include <set>
#include <string>

#include "results.h"

namespace grader {

// Returns one entry for each test, or one for a lab that was not submitted or does not compile. Shortens paths below
// `root`. Tests in `hidden`, which no handout contains, are visible to students after the grades are published.
std::string to_gradescope(const Grade& grade, const std::filesystem::path& root, const std::set<std::string>& hidden = {});

}  // namespace grader
