#include "gradescope_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "failure_summary.h"
#include "verdict.h"
#include "points.h"

namespace grader {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr std::size_t kMostGradescopeOutput = 4000;  // of one test

ordered_json entry_of(const std::string& number, const std::string& name, int points, int possible, const std::string& output) {
  ordered_json entry{{"number", number}, {"name", name}, {"score", points}, {"max_score", possible}, {"status", points == possible ? "passed" : "failed"},
                     {"visibility", "visible"}};
  if (!output.empty()) {
    entry["output"] = output.size() > kMostGradescopeOutput ? output.substr(0, kMostGradescopeOutput) + "\n... cut here ...\n" : output;
    entry["output_format"] = "text";
  }
  return entry;
}

std::string output_of(const TestResult& test, const LabResult& lab, const std::string& root) {
  if (test.passed()) return "";
  std::string text = std::string(name_of(test.verdict)) + (test.reason.empty() || test.verdict == Verdict::not_started ? "" : ": " + test.reason) + "\n\n" +
                     readable_output(test.output, lab.file);
  const std::string replay = failure_summary_of(test, lab.file, lab.number).replay;
  if (!replay.empty()) text += "replay: " + replay + "\n";
  for (std::size_t at; (at = text.find(root)) != std::string::npos;) text.erase(at, root.size());
  return text;
}

}  // namespace

std::string to_gradescope(const Grade& grade, const fs::path& root, const std::set<std::string>& hidden) {
  ordered_json tests = ordered_json::array();
  std::string notes;
  for (const LabResult& lab : grade.labs) {
    const std::string number = std::to_string(lab.number);
    if (lab.problem != Problem::none) {
      const std::string name = lab.name + (lab.problem == Problem::build ? ": does not compile" : lab.problem == Problem::missing ? ": not handed in" : ": grader error");
      tests.push_back(entry_of(number, name, 0, kPointsPerLab, lab.problem_text));
      tests.back()["tags"] = {lab.name};
      continue;
    }
    for (std::size_t i = 0; i < lab.tests.size(); ++i) {
      const TestResult& test = lab.tests[i];
      tests.push_back(entry_of(number + "." + std::to_string(i + 1), test.name, test.earned(), test.points, output_of(test, lab, root.generic_string() + "/")));
      tests.back()["tags"] = {lab.name};
      if (hidden.count(test.name) != 0) tests.back()["visibility"] = "after_published";
      tests.back()["extra_data"] = {{"verdict", name_of(test.verdict)}, {"rule", test.rule}, {"seed", test.seed}};
    }
  }
  for (const std::string& note : grade.notes) notes += note + "\n";
  ordered_json json{{"score", grade.earned()}, {"execution_time", static_cast<int>(grade.seconds)},
                    {"output", notes.substr(0, kMostGradescopeOutput)}, {"output_format", "text"}, {"visibility", "visible"}, {"stdout_visibility", "hidden"}, {"tests", tests}};
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace grader
