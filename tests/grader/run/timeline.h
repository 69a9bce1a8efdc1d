// What the threads of a test did, and which operations were out: read from a file in Chrome's trace event format, which
// the test program writes (tests/support/seam/timeline.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace grader {

constexpr std::size_t kMostTimeline = 256 * 1024;  // bytes; a file has no more

// One bar of the picture: a call of a thread, or an operation from its posting to its completion.
struct Span {
  std::size_t lane = 0;  // index into Timeline::lanes
  std::string name;      // "WSARecv"
  std::string detail;    // "client 2, operation 7, 12 bytes"; may be empty
  double start = 0;      // microseconds since the first event
  double length = 0;     // microseconds; 0 for a moment
  bool failed = false;   // the call said so
  bool open = false;     // it had not ended when the record did
};

struct Timeline {
  std::vector<std::string> lanes;  // "thread 3", "client 2: receives"; threads first
  std::vector<Span> spans;         // in the order of their starts
  std::size_t left_out = 0;        // events in the middle that are not there
};

// Nothing when the text is no such file. The text may come from a stranger: what is too much is left out, and what is
// left are short lines of printable ASCII.
std::optional<Timeline> parse_timeline(const std::string& text);

// The same file without the blanks that pad its lines, and without what is no event; it is one valid JSON text again.
// Empty when there is no event.
std::string tidy_timeline(const std::string& text);

}  // namespace grader
