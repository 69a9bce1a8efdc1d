#include "judge.h"

#include <sstream>

#include <nlohmann/json.hpp>

namespace grader {

std::optional<std::vector<Reported>> parse_report(const std::string& json) {
  try {
    std::vector<Reported> tests;
    const nlohmann::json report = nlohmann::json::parse(json);
    for (const nlohmann::json& suite : report.at("testsuites")) {
      for (const nlohmann::json& entry : suite.at("testsuite")) {
        Reported test;
        test.name = suite.at("name").get<std::string>() + "." + entry.at("name").get<std::string>();
        test.ran = entry.value("status", "") == "RUN" && entry.value("result", "") == "COMPLETED";
        test.failed = entry.contains("failures");
        for (const nlohmann::json& failure : entry.value("failures", nlohmann::json::array())) {
          test.message += failure.value("failure", "") + "\n";
        }
        tests.push_back(test);
      }
    }
    return tests;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

namespace {

struct Mark {
  const char* text;
  Verdict verdict;
};

// In this order: a race or a bad access explains a wrong answer; a leak is often only its consequence.
constexpr Mark kBeforeWrong[] = {
    {"WARNING: ThreadSanitizer", Verdict::race},
    {"ERROR: AddressSanitizer", Verdict::crash},
    {"runtime error: ", Verdict::crash},
};
constexpr Mark kAfterWrong[] = {{"ERROR: LeakSanitizer", Verdict::leak}};

std::string line_at(const std::string& text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return text.substr(at, end == std::string::npos ? end : end - at);
}

template <std::size_t N>
bool find_mark(const Mark (&marks)[N], TestResult& test) {
  for (const Mark& mark : marks) {
    const std::size_t at = test.output.find(mark.text);
    if (at == std::string::npos) continue;
    test.verdict = mark.verdict;
    test.reason = line_at(test.output, at);
    return true;
  }
  return false;
}

void set(TestResult& test, Verdict verdict, const std::string& reason) {
  test.verdict = verdict;
  test.reason = reason;
}

// The line that begins with `start`, without it. Nothing when there is none.
std::optional<std::string> line_after(const std::string& text, const std::string& start) {
  std::size_t at = text.rfind(start, 0) == 0 ? 0 : text.find("\n" + start);
  if (at == std::string::npos) return std::nullopt;
  at += text[at] == '\n' ? 1 : 0;
  std::string line = line_at(text, at + start.size());
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

bool is_noise(const std::string& line) {
  if (line == "Failed") return true;
  static const char* const kStarts[] = {"Running main() from ", "Note: Google Test filter", "[==========]", "[----------]",
                                        "[ RUN      ]", "[  FAILED  ]", "[  PASSED  ]", "[       OK ]", " 1 FAILED TEST"};
  for (const char* start : kStarts) {
    if (line.rfind(start, 0) == 0) return true;
  }
  return false;
}

constexpr std::size_t kStoryHead = 50;  // lines
constexpr std::size_t kStoryTail = 20;
constexpr std::size_t kStoryWidth = 400;

}  // namespace

void judge(const Ended& ended, const std::string& json, bool sanitized, TestResult& test) {
  using How = Ended::How;
  test.output = ended.output;
  test.seconds = ended.seconds;

  if (ended.how == How::could_not_start) return set(test, Verdict::grader_error, ended.error);
  if (ended.how == How::interrupted) return set(test, Verdict::not_run, "interrupted");
  if (ended.how == How::timed_out) {
    const auto whole = std::to_string(static_cast<long>(ended.seconds));
    return set(test, Verdict::hang, "it did not end within " + whole + " s");
  }
  const std::optional<std::vector<Reported>> report = json.empty() ? std::nullopt : parse_report(json);
  const bool one = report && report->size() == 1 && report->front().name == test.name;
  const bool passed = one && report->front().ran && !report->front().failed && ended.ok();

  const std::string todo = todo_of(ended.output);
  if (!passed && !todo.empty()) return set(test, Verdict::not_started, "not started: " + todo);
  if (sanitized && find_mark(kBeforeWrong, test)) return;
  if (passed) {
    if (sanitized && find_mark(kAfterWrong, test)) return;
    return set(test, Verdict::passed, "");
  }
  if (!report) {  // tests/support says why it ended the process, when it could
    if (const auto why = line_after(test.output, "hang: ")) return set(test, Verdict::hang, *why);
    if (const auto why = line_after(test.output, "crash: ")) return set(test, Verdict::crash, *why);
    if (const auto why = line_after(test.output, "early exit: ")) return set(test, Verdict::crash, *why);
    return set(test, Verdict::crash, "the test program ended in the middle of the test: " + describe_end(ended));
  }
  if (!one) return set(test, Verdict::grader_error, "the test program ran " + std::to_string(report->size()) + " tests, not this one");
  if (report->front().failed) {
    const std::string& message = report->front().message;  // the only trace when the code under test closed stdout
    if (test.output.find(line_at(message, 0)) == std::string::npos) test.output += "\n" + message;
    const auto expected = line_after(test.output, "story: expected");
    return set(test, Verdict::wrong, expected ? "expected" + *expected : "");
  }
  if (!report->front().ran) return set(test, Verdict::grader_error, "the test was skipped");
  if (sanitized && find_mark(kAfterWrong, test)) return;
  set(test, Verdict::crash, "the test went well, but then its program ended with " + describe_end(ended));
}

std::string todo_of(const std::string& output) {
  const std::string mark = "not started: ";
  const std::size_t at = output.find(mark);
  if (at == std::string::npos) return "";
  const std::string line = line_at(output, at + mark.size());
  return line.substr(0, line.find_first_of("\"\r"));
}

std::string story_of(const std::string& output) {
  std::vector<std::string> kept;
  std::istringstream lines(output);
  std::size_t more = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (is_noise(line) || (line.empty() && (kept.empty() || kept.back().empty()))) continue;
    if (line.rfind("story: ", 0) == 0) line.erase(0, 7);
    if (line.size() > kStoryWidth) line = line.substr(0, kStoryWidth) + " ...";
    kept.push_back(line);
    if (kept.size() > kStoryHead + 2 * kStoryTail) {
      kept.erase(kept.begin() + kStoryHead);
      ++more;
    }
  }
  while (!kept.empty() && kept.back().empty()) kept.pop_back();
  std::string story;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (more > 0 && i == kStoryHead) story += "... " + std::to_string(more) + " lines are left out here ...\n";
    story += kept[i] + "\n";
  }
  return story;
}

}  // namespace grader
