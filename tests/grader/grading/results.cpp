#include "results.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "points.h"
#include "student_files.h"
#include "utf8.h"

namespace grader {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

#ifdef _WIN32
constexpr bool kNamesAreUtf8 = false;
#else
constexpr bool kNamesAreUtf8 = true;
#endif
constexpr std::size_t kMostOutput = 8000;  // of one test, in a report

std::string bounded(const std::string& text) {
  if (text.size() <= kMostOutput) return text;
  return text.substr(0, kMostOutput / 2) + "\n... the middle is left out ...\n" + text.substr(text.size() - kMostOutput / 2);
}

const char* status_of(const LabResult& lab) {
  switch (lab.problem) {
    case Problem::none: return "graded";
    case Problem::build: return "does not compile";
    case Problem::grader: return "grader error";
    case Problem::missing: return "not handed in";
  }
  return "?";
}

std::optional<Problem> problem_of(const std::string& status) {
  for (const Problem problem : {Problem::none, Problem::build, Problem::grader, Problem::missing}) {
    LabResult lab;
    lab.problem = problem;
    if (status == status_of(lab)) return problem;
  }
  return std::nullopt;
}

std::optional<Verdict> verdict_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Verdict::not_run); ++i) {
    if (name == name_of(static_cast<Verdict>(i))) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

ordered_json json_of(const TestResult& test) {
  ordered_json json{{"name", test.name}, {"points", test.points}, {"earned", test.earned()}, {"verdict", name_of(test.verdict)},
                    {"seconds", test.seconds}};
  if (test.passed()) return json;
  json["reason"] = bounded(test.reason);
  json["rule"] = bounded(test.rule);
  json["seed"] = test.seed;
  json["platform"] = test.platform;
  json["output"] = bounded(test.output);
  if (!test.timeline.empty()) json["timeline"] = test.timeline;
  return json;
}

ordered_json json_of(const Grade& grade) {
  ordered_json labs = ordered_json::array();
  for (const LabResult& lab : grade.labs) {
    ordered_json tests = ordered_json::array();
    for (const TestResult& test : lab.tests) tests.push_back(json_of(test));
    labs.push_back({{"number", lab.number}, {"name", lab.name}, {"status", status_of(lab)}, {"message", bounded(lab.problem_text)},
                    {"earned", lab.earned()}, {"possible", kPointsPerLab}, {"seconds", lab.seconds}, {"tests", tests}});
  }
  return {{"name", grade.name}, {"key", grade.key}, {"earned", grade.earned()}, {"possible", grade.labs.size() * kPointsPerLab},
          {"seconds", grade.seconds}, {"compile_seconds", grade.compile_seconds}, {"notes", grade.notes}, {"labs", labs}};
}

std::string dumped(const ordered_json& json) { return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n"; }

}  // namespace

int ClassReport::possible() const { return static_cast<int>(labs.size()) * kPointsPerLab; }

std::string to_json(const Grade& grade) { return dumped(json_of(grade)); }

std::string to_json(const ClassReport& report) {
  ordered_json grades = ordered_json::array();
  for (const Grade& grade : report.grades) grades.push_back(json_of(grade));
  ordered_json similar = ordered_json::array();
  for (const SimilarSubmissions& pair : report.similar) {
    similar.push_back({{"first", pair.first},
                       {"second", pair.second},
                       {"lab", pair.lab},
                       {"share", std::round(pair.share * 100) / 100}});
  }
  return dumped({{"version", 1},
                 {"complete", report.complete()},
                 {"platform", report.platform},
                 {"sandbox", report.sandbox},
                 {"seed", report.seed},
                 {"labs", report.labs},
                 {"possible", report.possible()},
                 {"not_graded", report.missing},
                 {"alike", similar},
                 {"submissions", grades}});
}

std::optional<Grade> grade_from_json(const std::string& text) {
  try {
    const ordered_json json = ordered_json::parse(text);
    Grade grade;
    grade.name = json.at("name");
    grade.key = json.at("key");
    grade.seconds = json.at("seconds");
    grade.compile_seconds = json.at("compile_seconds");
    grade.notes = json.at("notes").get<std::vector<std::string>>();
    for (const ordered_json& entry : json.at("labs")) {
      LabResult lab;
      lab.number = entry.at("number");
      lab.name = entry.at("name");
      lab.file = lab.name + "/" + lab.name.substr(std::min<std::size_t>(lab.name.size(), 6)) + ".cpp";
      lab.problem = problem_of(entry.at("status")).value();
      lab.problem_text = entry.at("message");
      lab.seconds = entry.at("seconds");
      for (const ordered_json& one : entry.at("tests")) {
        TestResult test;
        test.name = one.at("name");
        test.points = one.at("points");
        test.verdict = verdict_of(one.at("verdict")).value();
        test.seconds = one.at("seconds");
        test.reason = one.value("reason", "");
        test.rule = one.value("rule", "");
        test.seed = one.value("seed", "");
        test.platform = one.value("platform", "");
        test.output = one.value("output", "");
        test.timeline = one.value("timeline", "");
        lab.tests.push_back(test);
      }
      grade.labs.push_back(lab);
    }
    return grade;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string file_stem(const std::string& name) {
  std::string stem;
  for (std::size_t at = 0, size = 1; at < name.size() && at < 60; at += size) {
    const unsigned char byte = static_cast<unsigned char>(name[at]);
    size = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const std::string one = name.substr(at, size);
    const bool letter = byte < 0x80 ? std::isalnum(byte) || byte == '-' || byte == '_' : kNamesAreUtf8 && is_visible_utf8(one);
    stem += letter ? one : "_";
  }
  return stem + "-" + hash_of(name);
}

void need_writable(const fs::path& file) {
  const fs::path next = file.string() + ".new";
  const bool can = !fs::is_directory(file) && std::ofstream(next, std::ios::binary).good();
  std::error_code ignored;
  fs::remove(next, ignored);
  if (!can) throw UsageError(file.string() + " cannot be written");
}

void write_whole(const fs::path& file, const std::string& text) {
  const fs::path next = file.string() + ".new";
  {
    std::ofstream stream(next, std::ios::binary);
    stream << text << std::flush;
    if (!stream) throw GraderError(next.string() + " cannot be written");
  }
  fs::rename(next, file);
}

}  // namespace grader
