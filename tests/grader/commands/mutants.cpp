#include "mutants.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLeastWrong = 10;
constexpr std::size_t kLeastRight = 3;

Verdict verdict_called(const std::string& name, const std::string& of) {
  for (const Verdict verdict : {Verdict::not_started, Verdict::wrong, Verdict::crash, Verdict::hang, Verdict::race, Verdict::leak}) {
    if (name == name_of(verdict)) return verdict;
  }
  throw GraderError(of + ": '" + name + "' is not a verdict");
}

bool is_platform(const std::string& name) { return name == "linux" || name == "asan" || name == "tsan"; }

}  // namespace

Mutants read_mutants(const fs::path& folder) {
  const std::string file = "tests/mutants/" + folder.filename().string() + "/mutants.json";
  std::ifstream stream(folder / "mutants.json");
  if (!stream) throw GraderError(file + " cannot be read");
  Mutants mutants;
  try {
    const nlohmann::ordered_json all = nlohmann::ordered_json::parse(stream);
    for (const nlohmann::ordered_json& entry : all.at("wrong")) {
      WrongProgram program;
      program.name = entry.at("name").get<std::string>();
      program.bug = entry.at("bug").get<std::string>();
      program.verdict = verdict_called(entry.at("verdict").get<std::string>(), file + ": " + program.name);
      program.platform = entry.at("platform").get<std::string>();
      program.tests = entry.at("tests").get<std::vector<std::string>>();
      program.rule = entry.value("rule", "");
      mutants.wrong.push_back(program);
    }
    for (const nlohmann::ordered_json& entry : all.at("right")) {
      mutants.right.push_back({entry.at("name").get<std::string>(), entry.at("idea").get<std::string>()});
    }
  } catch (const nlohmann::ordered_json::exception& error) {
    throw GraderError(file + ": " + error.what());
  }
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(mutants.wrong.begin(), mutants.wrong.end(), by_name);
  std::sort(mutants.right.begin(), mutants.right.end(), by_name);
  return mutants;
}

std::string check_mutants(const Mutants& mutants, const fs::path& folder, const std::vector<GradedTest>& graded) {
  std::string text;
  const auto complain = [&](const std::string& what) { text += what + "\n"; };
  const auto least = [&](const char* kind, std::size_t number, std::size_t wanted) {
    if (number < wanted) complain(std::to_string(number) + " " + kind + " programs; there must be " + std::to_string(wanted) + " at least");
  };
  least("wrong", mutants.wrong.size(), kLeastWrong);
  least("right", mutants.right.size(), kLeastRight);

  std::set<std::string> listed;
  const auto list = [&](const std::string& name) {
    if (!listed.insert(name).second) complain(name + ": two entries in mutants.json");
    if (!fs::exists(folder / (name + ".cpp")))
      complain(name + ": is in mutants.json, but there is no file " + name + ".cpp");
  };
  for (const WrongProgram& program : mutants.wrong) {
    list(program.name);
    if (!is_platform(program.platform)) complain(program.name + ": the platform must be linux, asan or tsan");
    if (program.tests.empty()) complain(program.name + ": names no test");
    for (const std::string& test : program.tests) {
      if (std::none_of(graded.begin(), graded.end(), [&](const GradedTest& one) { return one.name == test; })) {
        complain(program.name + ": there is no graded test " + test);
      }
    }
  }
  for (const RightProgram& program : mutants.right) list(program.name);
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".cpp") files.push_back(entry.path().stem().string());
  }
  std::sort(files.begin(), files.end());
  for (const std::string& name : files) {
    if (listed.count(name) == 0) complain(name + ".cpp: has no entry in mutants.json");
  }
  return text;
}

Kill judge_wrong(const WrongProgram& program, const std::vector<std::vector<TestResult>>& rounds) {
  Kill kill;
  bool survived = false;
  const auto note = [&](const TestResult& result, const std::string& why) {
    if (kill.shown != nullptr) return;
    kill.shown = &result;
    kill.why = result.name + " " + why;
  };
  for (const std::vector<TestResult>& round : rounds) {
    if (round.empty() || std::any_of(round.begin(), round.end(), [](const TestResult& one) { return one.verdict == Verdict::not_run; })) continue;
    ++kill.rounds;
    bool as_expected = true;
    for (const TestResult& result : round) {
      if (result.verdict == program.verdict) continue;
      as_expected = false;
      survived = survived || result.passed();
      note(result, std::string("must be '") + name_of(program.verdict) + "', but it was '" + name_of(result.verdict) + "'");
    }
    const bool named = program.rule.empty() ||
                       std::any_of(round.begin(), round.end(), [&](const TestResult& one) { return one.rule == program.rule; });
    if (!named) note(round.front(), "must name the rule '" + program.rule + "'; it named '" + round.front().rule + "'");
    kill.killed += as_expected && named ? 1 : 0;
  }
  if (kill.rounds == 0) return kill;
  kill.how = kill.killed == kill.rounds ? Kill::How::killed : survived ? Kill::How::survives : Kill::How::another_reason;
  return kill;
}

bool starts_the_program(const std::string& test) {
  const std::string name = test.substr(test.find('.') + 1);
  return name.starts_with("Program") || name.starts_with("TheProgram");
}

}  // namespace grader
