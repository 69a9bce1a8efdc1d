#include "verdict.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "../../support/base/seal.h"

namespace grader {

std::optional<std::vector<Reported>> parse_report(const std::string& json) {
  try {
    std::vector<Reported> tests;
    const nlohmann::ordered_json report = nlohmann::ordered_json::parse(json);
    for (const nlohmann::ordered_json& suite : report.at("testsuites")) {
      for (const nlohmann::ordered_json& entry : suite.at("testsuite")) {
        Reported test;
        test.name = suite.at("name").get<std::string>() + "." + entry.at("name").get<std::string>();
        test.ran = entry.value("status", "") == "RUN" && entry.value("result", "") == "COMPLETED";
        test.failed = entry.contains("failures");
        test.seconds = std::strtod(entry.value("time", "0s").c_str(), nullptr);  // "0.012s"
        test.reached = entry.value("reached", "");
        test.seal = entry.value("seal", "");
        for (const nlohmann::ordered_json& failure : entry.value("failures", nlohmann::ordered_json::array())) {
          test.message += failure.value("failure", "") + "\n";
        }
        tests.push_back(test);
      }
    }
    return tests;
  } catch (const nlohmann::ordered_json::exception&) {
    return std::nullopt;
  }
}

namespace {

struct Mark {
  const char* text;
  Verdict verdict;
};

// Checked in this order: a race or a bad access explains a wrong answer or a hang; a leak is often only its
// consequence.
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

void set(TestResult& test, Verdict verdict, const std::string& reason) {
  test.verdict = verdict;
  test.reason = reason;
}

// Returns the rest of the line that begins with `start`, or nullopt if there is none.
std::optional<std::string> line_after(const std::string& text, const std::string& start) {
  std::size_t at = text.starts_with(start) ? 0 : text.find("\n" + start);
  if (at == std::string::npos) return std::nullopt;
  at += text[at] == '\n' ? 1 : 0;
  std::string line = line_at(text, at + start.size());
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

std::optional<std::string> last_line_after(const std::string& text, const std::string& start) {
  const std::size_t at = text.rfind("\n" + start);
  return line_after(at == std::string::npos ? text : text.substr(at), start);
}

// Returns the seed or order of the last line that begins with `start`, as in "seed: 17" and "seed: 0/12.1".
std::string seed_of(const std::string& output, const std::string& start = "seed: ") {
  const std::string seed = last_line_after(output, start).value_or("");
  return seed.substr(0, seed.find_first_not_of("0123456789/.-"));
}

template <std::size_t N>
bool find_mark(const Mark (&marks)[N], TestResult& test) {
  for (const Mark& mark : marks) {
    const std::size_t at = test.output.find(mark.text);
    if (at == std::string::npos) continue;
    test.verdict = mark.verdict;
    test.reason = line_at(test.output, at);
    test.seed = seed_of(test.output.substr(0, at));  // the test may have continued with other seeds
    return true;
  }
  return false;
}

bool is_report_start(const std::string& line) {
  const auto starts = [&](const auto& marks) {
    return std::any_of(std::begin(marks), std::end(marks), [&](const Mark& mark) { return line.find(mark.text) != std::string::npos; });
  };
  return starts(kBeforeWrong) || starts(kAfterWrong);
}

bool is_frame(const std::string& line) {
  const std::size_t at = line.find_first_not_of(' ');
  return at != std::string::npos && at > 0 && line[at] == '#';
}

// Removes the addresses: "    #0 0x7f12 in f() /a/b.cpp:3 (program+0x12)" -> "    #0 f() /a/b.cpp:3".
std::string without_addresses(std::string line) {
  const std::size_t at = line.find(" 0x"), in = line.find(" in ");
  if (at != std::string::npos && in != std::string::npos && line.find(' ', at + 1) == in) line.erase(at, in + 3 - at);
  if (const std::size_t module = line.rfind(" ("); module != std::string::npos && line.find("+0x", module) != std::string::npos) line.erase(module);
  return line;
}

constexpr std::size_t kReportLines = 24;  // in addition to the frames in the student's file

// Arranges a sanitizer's report for reading: the error, the place in the student's file, then the rest up to a limit.
std::vector<std::string> arrange_report(const std::vector<std::string>& report, const std::string& own_file) {
  std::vector<std::string> own, rest;
  std::string heading;  // "Write of size 4 at 0x7b04 by thread T1:"
  bool headed = false;
  for (std::size_t i = 1; i < report.size(); ++i) {
    const std::string line = without_addresses(report[i]);
    if (!is_frame(line)) {
      heading = line;
      headed = false;
    } else if (!own_file.empty() && line.find(own_file + ":") != std::string::npos) {
      if (!headed) own.push_back(heading);
      headed = true;
      own.push_back(line);
    }
    const auto is_in = [&](const char* folder) { return line.find(folder) != std::string::npos; };
    const bool of_a_library = is_frame(line) && (is_in(" /usr/include/") || is_in("/googletest") || is_in(" ../csu/") || is_in(" ../sysdeps/"));
    if (!of_a_library) rest.push_back(line);
  }
  std::vector<std::string> arranged = {report.front()};
  if (!own.empty()) arranged.push_back("in " + own_file + ":");
  arranged.insert(arranged.end(), own.begin(), own.end());
  if (!own.empty()) arranged.push_back("more of it:");
  const std::size_t shown = std::min(rest.size(), kReportLines);
  arranged.insert(arranged.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < rest.size()) arranged.push_back("... and " + std::to_string(rest.size() - shown) + " more lines of this report");
  return arranged;
}

// Returns the lines of an output without sanitizer reports, then the first report, arranged. Of several seeds only the
// last one is shown, because it is the one that failed.
std::vector<std::string> lines_of(const std::string& output, const std::string& own_file) {
  std::vector<std::string> lines, report, shown;
  std::size_t reports = 0;
  std::optional<std::size_t> first_seed;  // where in `lines`
  bool in_report = false, dump = false;   // AddressSanitizer prints memory after its summary
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!in_report && is_report_start(line)) {
      in_report = true;
      report.clear();
      ++reports;
    }
    if (in_report) {
      report.push_back(line);
    } else if (!dump) {
      if (line.starts_with("seed: ")) {
        if (first_seed) lines.resize(*first_seed);
        first_seed = lines.size();
      }
      lines.push_back(line);
    }
    if (line.starts_with("SUMMARY: ")) {
      in_report = false;
      dump = line.starts_with("SUMMARY: AddressSanitizer") && line.find("leaked") == std::string::npos;
    }
    if (line.find("==ABORTING") != std::string::npos) dump = false;
    if (reports == 1 && !report.empty() && !in_report && shown.empty()) shown = arrange_report(report, own_file);
  }
  // The program died in the middle of the report
  if (shown.empty() && reports > 0) shown = arrange_report(report, own_file);
  lines.insert(lines.end(), shown.begin(), shown.end());
  if (reports > 1) lines.push_back("more reports, in the log: " + std::to_string(reports - 1));
  return lines;
}

bool is_noise(const std::string& line) {
  if (line.starts_with("=====")) return true;  // frames a sanitizer's report
  if (line == "Failed") return true;
  static const char* const kStarts[] = {"Running main() from ", "Note: Google Test filter", "[==========]", "[----------]",
                                        "[ RUN      ]", "[  FAILED  ]", "[  PASSED  ]", "[       OK ]", " 1 FAILED TEST",
                                        "ThreadSanitizer: reported ", "decisions: ", "orders: "};
  for (const char* start : kStarts) {
    if (line.starts_with(start)) return true;
  }
  return false;
}

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Returns the reason why a report that says "passed" is rejected, or an empty string.
std::string missing_evidence(const Reported& report, const std::vector<std::string>& reached, const Evidence& evidence) {
  if (evidence.places == nullptr || evidence.places->empty()) return "";
  if (report.seal != test::seal_of(evidence.key, report.name + "\n" + report.reached)) return "expected a report from the end of the test, but the report has no valid seal";
  for (const std::string& place : *evidence.places) {
    if (std::find(reached.begin(), reached.end(), place) == reached.end()) return kEndedEarly + place;
  }
  return "";
}

constexpr std::size_t kMostOrders = 100;  // characters
constexpr std::size_t kOutputHead = 50;  // lines
constexpr std::size_t kOutputTail = 20;
constexpr std::size_t kStoryWidth = 400;

}  // namespace

void judge(const Ended& ended, const std::string& json, bool sanitized, TestResult& test, const Evidence& evidence) {
  using How = Ended::How;
  test.output = ended.output;
  test.seconds = ended.seconds;

  if (ended.how == How::could_not_start) return set(test, Verdict::grader_error, ended.error);
  if (ended.how == How::interrupted) return set(test, Verdict::not_run, "interrupted");
  const std::optional<std::vector<Reported>> report = json.empty() ? std::nullopt : parse_report(json);
  const bool one = report && report->size() == 1 && report->front().name == test.name;
  if (one && report->front().failed) {  // the report is the only source if the code under test closed stdout
    const std::string& message = report->front().message;
    if (test.output.find(line_at(message, 0)) == std::string::npos) test.output += "\n" + message;
  }
  if (one) test.reached = lines_in(report->front().reached);
  test.seed = seed_of(test.output);
  test.decisions = seed_of(test.output, "decisions: ");
  test.orders = last_line_after(test.output, "orders: ").value_or("").substr(0, kMostOrders);
  const std::optional<std::string> rule = line_after(test.output, "rule: ");
  if (rule) test.rule = rule->substr(0, rule->find_first_of(" :"));

  if (ended.how == How::timed_out) {
    if (sanitized && find_mark(kBeforeWrong, test)) return;
    const auto whole = std::to_string(static_cast<long>(ended.seconds));
    return set(test, Verdict::hang, "it did not end within " + whole + " s");
  }
  const std::optional<std::string> leak = line_after(test.output, "leak: ");
  const bool passed = one && report->front().ran && !report->front().failed && ended.ok() && !rule && !leak;

  const std::string todo = todo_of(ended.output);
  if (!passed && !todo.empty()) return set(test, Verdict::not_started, "not started: " + todo);
  if (sanitized && find_mark(kBeforeWrong, test)) return;
  if (passed) {
    if (sanitized && find_mark(kAfterWrong, test)) return;
    const std::string missing = missing_evidence(report->front(), test.reached, evidence);
    return set(test, missing.empty() ? Verdict::passed : Verdict::wrong, missing);
  }
  // The reason why tests/support ended the process, if it could report one.
  if (const auto why = line_after(test.output, "hang: "); why && !report) return set(test, Verdict::hang, *why);
  if (rule) {
    const std::size_t sentence = rule->find(": ");
    const std::string then = ended.how == How::signalled ? " Then it crashed: " + describe_end(ended) : "";
    return set(test, Verdict::wrong, (sentence == std::string::npos ? *rule : rule->substr(sentence + 2)) + then);
  }
  const auto expected = line_after(test.output, "story: expected");
  if (leak && !expected) return set(test, Verdict::leak, *leak);
  if (!report) {
    if (const auto why = line_after(test.output, "crash: ")) return set(test, Verdict::crash, *why);
    if (const auto why = line_after(test.output, "early exit: ")) return set(test, Verdict::crash, *why);
    return set(test, Verdict::crash, "the test program ended in the middle of the test: " + describe_end(ended));
  }
  if (!one) return set(test, Verdict::crash, "the test program did not run this test; its report has " + std::to_string(report->size()) + " other tests");
  if (report->front().failed) return set(test, Verdict::wrong, expected ? "expected" + *expected : "");
  if (!report->front().ran) return set(test, Verdict::wrong, "the test was skipped");
  if (sanitized && find_mark(kAfterWrong, test)) return;
  set(test, Verdict::crash, "the test passed, but then its program ended with " + describe_end(ended));
}

bool judge_together(const Ended& ended, const std::string& json, bool sanitized, const std::vector<TestResult*>& tests,
                    const std::vector<Evidence>& evidence) {
  const std::optional<std::vector<Reported>> report = json.empty() ? std::nullopt : parse_report(json);
  if (!ended.ok() || !report || report->size() != tests.size()) return false;
  if (line_after(ended.output, "rule: ") || line_after(ended.output, "leak: ")) return false;
  TestResult whole;
  whole.output = ended.output;
  if (sanitized && (find_mark(kBeforeWrong, whole) || find_mark(kAfterWrong, whole))) return false;
  std::map<std::string, const Reported*> passed;
  for (const Reported& one : *report) {
    if (one.ran && !one.failed) passed[one.name] = &one;
  }
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const auto found = passed.find(tests[i]->name);
    if (found == passed.end()) return false;
    if (!evidence.empty() && !missing_evidence(*found->second, lines_in(found->second->reached), evidence[i]).empty()) return false;
  }
  for (TestResult* test : tests) {
    test->seconds = passed[test->name]->seconds;
    set(*test, Verdict::passed, "");
  }
  return true;
}

namespace {

bool unexplained(const TestResult& test, const std::string& first_platform) {
  return (test.verdict == Verdict::crash || test.verdict == Verdict::inconsistent) && test.platform == first_platform;
}

}  // namespace

bool worth_another_platform(const TestResult& test, const std::string& first_platform) {
  return test.verdict == Verdict::not_run || test.passed() || unexplained(test, first_platform);
}

void merge_platform(TestResult& test, const TestResult& again, const std::string& first_platform) {
  const double seconds = test.seconds + again.seconds;
  if (!unexplained(test, first_platform) || again.verdict == Verdict::crash || again.verdict == Verdict::race) test = again;
  test.seconds = seconds;
}

std::string todo_of(const std::string& output) {
  const std::string mark = "not started: ";
  const std::size_t at = output.find(mark);
  if (at == std::string::npos) return "";
  const std::string line = line_at(output, at + mark.size());
  return line.substr(0, line.find_first_of("\"\r"));
}

std::string readable_output(const std::string& output, const std::string& own_file) {
  std::vector<std::string> kept;
  std::size_t more = 0, same = 0;
  const auto keep = [&](const std::string& line) {
    kept.push_back(line);
    if (kept.size() > kOutputHead + 2 * kOutputTail) {
      kept.erase(kept.begin() + kOutputHead);
      ++more;
    }
  };
  const auto end_same = [&] {
    if (same > 0) keep("... this line " + std::to_string(std::exchange(same, 0)) + " times more ...");
  };
  std::string last;
  for (std::string line : lines_of(output, own_file)) {
    if (is_noise(line) || (line.empty() && last.empty())) continue;
    if (line.starts_with("story: ")) line.erase(0, 7);
    if (line.size() > kStoryWidth) line = line.substr(0, kStoryWidth) + " ...";
    if (line == last) {
      ++same;
      continue;
    }
    end_same();
    keep(last = line);
  }
  end_same();
  while (!kept.empty() && kept.back().empty()) kept.pop_back();
  std::string readable;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (more > 0 && i == kOutputHead) readable += "... " + std::to_string(more) + " lines are left out here ...\n";
    readable += kept[i] + "\n";
  }
  return readable;
}

}  // namespace grader
