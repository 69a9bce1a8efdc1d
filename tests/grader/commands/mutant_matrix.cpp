#include "mutant_matrix.h"

#include <algorithm>
#include <map>
#include <sstream>

namespace grader {

namespace {

constexpr const char* kNotProved = "**not proved**";

std::string after_dot(const std::string& test) { return test.substr(test.find('.') + 1); }

std::string killed(const Proof* proof) {
  if (proof == nullptr) return kNotProved;
  return std::to_string(proof->rounds) + " of " + std::to_string(proof->rounds);
}

std::string score_on(const std::string& platform, const Proof* proof) {
  if (proof == nullptr) return kNotProved;
  const auto same = [&](const auto& score) { return score.first == platform; };
  const auto found = std::find_if(proof->scores.begin(), proof->scores.end(), same);
  return found == proof->scores.end() ? "-" : std::to_string(found->second);
}

void wrong_programs(std::ostream& text, const MatrixLab& lab, const ProofRecord& record) {
  text << "| wrong program | its bug | verdict | on | rule | caught by | others | killed |\n|---|---|---|---|---|---|---|---|\n";
  for (const WrongProgram& program : lab.mutants.wrong) {
    const Proof* const proof = record.find(lab.name + "/" + program.name);
    std::string tests;
    for (const std::string& test : program.tests) tests += (tests.empty() ? "" : ", ") + after_dot(test);
    text << "| " << program.name << " | " << program.bug << " | " << name_of(program.verdict) << " | " << program.platform
         << " | " << program.rule << " | " << tests << " | "
         << (proof == nullptr || proof->others.empty() ? "?" : proof->others) << " | " << killed(proof) << " |\n";
  }
}

void right_programs(std::ostream& text, const MatrixLab& lab, const std::vector<std::string>& platforms,
                    const ProofRecord& record) {
  text << "\n| right program | its idea |";
  for (const std::string& platform : platforms) text << " " << platform << " |";
  text << "\n|---|---|";
  for (std::size_t i = 0; i < platforms.size(); ++i) text << "---|";
  text << "\n";
  for (const RightProgram& program : lab.mutants.right) {
    const Proof* const proof = record.find(lab.name + "/" + program.name);
    text << "| " << program.name << " | " << program.idea << " |";
    for (const std::string& platform : platforms) text << " " << score_on(platform, proof) << " |";
    text << "\n";
  }
}

void tests(std::ostream& text, const MatrixLab& lab) {
  std::map<std::string, int> catches;
  for (const WrongProgram& program : lab.mutants.wrong) {
    for (const std::string& test : program.tests) ++catches[test];
  }
  text << "\n| test | wrong programs that it must catch |\n|---|---|\n";
  for (const GradedTest& test : lab.graded)
    text << "| " << after_dot(test.name) << " | " << catches[test.name] << " |\n";
}

}  // namespace

std::string matrix_of(const std::vector<MatrixLab>& labs, const std::vector<std::string>& platforms, const ProofRecord& record) {
  std::ostringstream text;
  text << "# Wrong programs, and the tests that catch them\n\n"
          "Written by `./lab test --mutants` and `./lab test --all`, from the manifests and [RECORD.txt](RECORD.txt). Each wrong\n"
          "program replaces the student's file, over the reference labs. Every named test must fail on every run, with this\n"
          "verdict, and one of them with this rule. \"others\" is the number of other tests that fail natively; \"-\" counts those\n"
          "that were not run because two had hung, and \"?\" means that only the named tests were run. A right program is written\n"
          "differently from the solution, and must have 100 points on each platform.\n";
  for (const MatrixLab& lab : labs) {
    text << "\n## " << lab.name << "\n\n";
    wrong_programs(text, lab, record);
    right_programs(text, lab, platforms, record);
    tests(text, lab);
  }
  return text.str();
}

}  // namespace grader
