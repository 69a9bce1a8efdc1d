// Programs that the graded tests must tell apart: wrong ones, and right ones written differently. tests/mutants/LAB/ has
// one file each, which stands for the student's, and says in mutants.json what is expected of it:
//
//   { "wrong": [ { "name": "any_error_ends_the_loop", "bug": "any error of accept ends the loop", "verdict": "wrong",
//                  "platform": "linux", "tests": ["Lab01.AnAcceptErrorDoesNotEndTheLoop"], "rule": "" } ],
//     "right": [ { "name": "right_sorted_vector", "idea": "a sorted vector and one mutex" } ] }
//
// platform: the first of linux, asan and tsan on which it must be caught. tests: each of them must fail there, with this
// verdict; others may fail, too. rule: the broken rule that one of them must name; empty when there is none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "model.h"
#include "points.h"
#include "progress.h"
#include "workspace.h"

namespace grader {

struct WrongProgram {
  std::string name;
  std::string bug;
  Verdict verdict = Verdict::wrong;
  std::string platform;
  std::vector<std::string> tests;
  std::string rule;
};

struct RightProgram {
  std::string name;
  std::string idea;
};

struct Mutants {
  std::vector<WrongProgram> wrong;
  std::vector<RightProgram> right;
};

// The manifest of one lab's folder, in the order of the names. Throws GraderError when it is not well-formed.
Mutants read_mutants(const std::filesystem::path& folder);

// What is not right with it; empty: nothing. Every file has its entry, every entry its file and its tests; there are enough.
std::string check_mutants(const Mutants& mutants, const std::filesystem::path& folder, const std::vector<GradedTest>& graded);

// How a wrong program fared: its named tests, once per round.
struct Kill {
  enum class How { killed, survives, another_reason, not_run };
  How how = How::not_run;
  std::size_t rounds = 0;
  std::size_t killed = 0;   // rounds in which every named test failed as it should
  std::string why;          // of the first round that did not go so
  const TestResult* shown = nullptr;  // the result that says it
};
Kill judge_wrong(const WrongProgram& program, const std::vector<std::vector<TestResult>>& rounds);

struct MutantOptions {
  enum class Which {
    sample,    // some of each lab, chosen by the seed
    unproved,  // those that the record does not cover, and a tenth of the others, chosen by the seed
    all,
  };
  Which which = Which::all;
  std::uint64_t seed = 0;
  std::string lab;     // empty: all
  unsigned runs = 1;   // of each named test
  bool others = false; // run the tests that are not named, too, to count them in the matrix
  unsigned jobs = 1;
};

// The stage: builds the programs and runs them. A failure is a wrong program that survives or fails for another reason, a
// right one that loses a point, and a manifest or a record that is not right. Writes what was proved to RECORD.txt and
// MATRIX.md, unless it was a sample; after an interruption, too.
void test_mutants(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log);

// Whether a test starts the lab's program: its name then begins with "Program" or "TheProgram".
bool starts_the_program(const std::string& test);

}  // namespace grader
