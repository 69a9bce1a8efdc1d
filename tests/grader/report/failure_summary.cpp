#include "failure_summary.h"

#include <algorithm>
#include <sstream>

#include "verdict.h"

namespace grader {

namespace {

// Returns whether the line begins with `start`, and sets `rest` to its rest.
bool takes(const std::string& line, const std::string& start, std::string& rest) {
  if (!line.starts_with(start)) return false;
  rest = line.substr(start.size());
  return true;
}

bool is_step(const std::string& line) {
  const std::size_t dot = line.find_first_not_of("0123456789");
  return dot != 0 && dot != std::string::npos && line.compare(dot, 2, ". ") == 0;
}

// Splits "expected the size to be 2, but it was 1" and "expected: find gives the client, but it is false".
void split_expected(const std::string& line, FailureSummary& summary) {
  std::size_t begin = 8;
  for (const std::string start : {"expected: ", "expected that ", "expected "}) {
    if (!line.starts_with(start)) continue;
    begin = start.size();
    break;
  }
  const std::string text = line.substr(std::min(begin, line.size()));
  constexpr std::string_view kMiddle = ", but ";
  const std::size_t at = text.rfind(kMiddle);
  summary.expected = text.substr(0, at);
  if (at != std::string::npos) summary.observed = text.substr(at + kMiddle.size());
}

}  // namespace

FailureSummary failure_summary_of(const TestResult& test, const std::string& file, int number) {
  FailureSummary summary;
  std::istringstream lines(readable_output(test.output, file));
  for (std::string line; std::getline(lines, line);) {
    std::string text;
    if (is_step(line)) {
      summary.steps.push_back(line);
    } else if (takes(line, "rule: ", text)) {
      if (!summary.rule.empty()) continue;
      const std::size_t colon = text.find(": ");
      summary.rule = text.substr(0, colon);
      if (colon != std::string::npos) summary.broken = text.substr(colon + 2);
    } else if (line.starts_with("expected") && summary.expected.empty()) {
      split_expected(line, summary);
    } else if (takes(line, "read: ", text)) {
      const std::size_t comma = text.rfind(", ");
      summary.handout = comma == std::string::npos ? text : text.substr(comma + 2);
      if (comma != std::string::npos) summary.notes = text.substr(0, comma);
    } else if (takes(line, "order: ", text)) {
      summary.order.push_back(text);
    } else if (takes(line, "seen: ", text)) {
      summary.seen.push_back(text);
    } else if (takes(line, "cause: ", text)) {
      summary.causes.push_back(text);
    } else if (!line.starts_with("seed: ") && line.find(": Failure") == std::string::npos &&
               line.find(test.reason.empty() ? "\n" : test.reason) == std::string::npos) {
      summary.rest += line + "\n";
    }
  }
  if (summary.rest.find_first_not_of(" \n") == std::string::npos) summary.rest.clear();
  if (test.verdict != Verdict::not_started && test.verdict != Verdict::grader_error && test.verdict != Verdict::not_run) {
    // A crash ends the test before its "read:" line.
    if (summary.handout.empty())
      summary.handout = file.substr(0, file.find('/')) + "/README.md#what-failing-tests-mean";
    summary.replay = "./lab check " + std::to_string(number) + " --test " + test.name +
                     (test.seed.empty() ? "" : " --seed " + test.seed) +
                     (test.platform.empty() || test.platform == "linux" ? "" : " --platform " + test.platform);
  }
  return summary;
}

}  // namespace grader
