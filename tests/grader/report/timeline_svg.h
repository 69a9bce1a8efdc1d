// Draws a timeline as inline SVG.
#pragma once

#include <string>

#include "timeline.h"

namespace grader {

// Returns the chart, or an empty string for a timeline without spans. Lanes are drawn below each other, time to the
// right. Long waits are shortened, because otherwise the calls around them would be invisible. A list of the calls
// follows, for print and for readers without a pointing device.
std::string html_timeline(const Timeline& timeline);

}  // namespace grader
