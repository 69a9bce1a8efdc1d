// Programs that the graded tests must tell apart: wrong ones, and right ones written differently. Each file of
// tests/mutants/LAB/ replaces the student's file, and mutants.json states the expected result:
//
//   { "wrong": [ { "name": "any_error_ends_the_loop", "bug": "any error of accept ends the loop", "verdict": "wrong",
//                  "platform": "linux", "tests": ["Lab01.AnAcceptErrorDoesNotEndTheLoop"], "rule": "" } ],
//     "right": [ { "name": "right_sorted_vector", "idea": "a sorted vector and one mutex" } ] }
//
// platform: the first of linux, asan and tsan on which it must be caught. tests: each of them must fail there with this
// verdict; others may fail, too. rule: the broken rule that one of them must name, or empty.
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

// Reads the manifest of one lab's folder, in alphabetical order. Throws GraderError if it is malformed.
Mutants read_mutants(const std::filesystem::path& folder);

// Returns the errors of a manifest, or an empty string. Every file needs an entry, every entry a file and tests; there
// must be enough of each.
std::string check_mutants(const Mutants& mutants, const std::filesystem::path& folder, const std::vector<GradedTest>& graded);

// The results of a wrong program's named tests, once per round.
struct Kill {
  enum class How { killed, survives, another_reason, not_run };
  How how = How::not_run;
  std::size_t rounds = 0;
  std::size_t killed = 0;             // rounds in which every named test failed as expected
  std::string why;                    // of the first round in which that was not so
  const TestResult* shown = nullptr;  // the result that shows it
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
  bool others = false;  // also run the tests that are not named, to count them in the matrix
  unsigned jobs = 1;
};

// Runs the stage: builds the programs and runs them. A failure is a wrong program that survives or fails for the wrong
// reason, a right one that loses a point, or an invalid manifest or record. Writes the proofs to RECORD.txt and
// MATRIX.md, even after an interruption, unless it was a sample.
void test_mutants(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log);

// Returns whether a test starts the lab's program: its name then begins with "Program" or "TheProgram".
bool starts_the_program(const std::string& test);

}  // namespace grader
