// The picture of a timeline, as inline SVG.
#pragma once

#include <string>

#include "timeline.h"

namespace grader {

// Lanes below each other, time to the right. Long waits are shortened, or the calls around them could not be seen. Below
// it the calls as a list, for paper and for those who cannot point. Empty for a timeline without spans.
std::string html_timeline(const Timeline& timeline);

}  // namespace grader
