// What the threads of a test did, and which operations were outstanding. Read from a file in Chrome's trace event
// format, which the test program writes (tests/support/seam/timeline.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace grader {

constexpr std::size_t kMostTimeline = 256 * 1024;  // maximum size of a file in bytes

// One bar of the chart: a call of a thread, or an operation from its posting to its completion.
struct Span {
  std::size_t lane = 0;  // index into Timeline::lanes
  std::string name;      // "WSARecv"
  std::string detail;    // "client 2, operation 7, 12 bytes"; may be empty
  double start = 0;      // microseconds since the first event
  double length = 0;     // microseconds; 0 for an instant
  bool failed = false;   // the call reported an error
  bool open = false;     // it had not ended when the recording ended
};

struct Timeline {
  std::vector<std::string> lanes;  // "thread 3", "client 2: receives"; threads first
  std::vector<Span> spans;         // in the order of their starts
  std::size_t left_out = 0;        // events that were dropped from the middle
};

// Parses a timeline. Returns nullopt if the text is not one. The text is untrusted: excess events are dropped, and the
// rest becomes short lines of printable ASCII.
std::optional<Timeline> parse_timeline(const std::string& text);

// Returns the same file without the padding of its lines and without invalid events, as one valid JSON text; or an
// empty string if it has no event.
std::string tidy_timeline(const std::string& text);

}  // namespace grader
