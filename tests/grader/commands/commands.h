// The commands of the tool, called by main.cpp. Each returns an exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grading_options.h"
#include "model.h"
#include "workspace.h"

namespace grader {

struct CheckOptions {
  std::string lab;       // a number, "all", or empty: continue with the first lab without full points
  std::string platform;  // empty: the default
  bool solutions = false;
  bool sanitizers = false;  // natively and under each sanitizer: a point requires a pass on all of them
  std::string test;         // only this one; empty: all
  std::string seed;         // seed of the tests' random choices; empty: their own
  bool own = false;         // run the tests over the student's own earlier labs, too, even without full points
  bool failed_alone = false;  // the test that failed last time runs alone first; if it fails again, no other test runs
  unsigned jobs = 1;
};
int check(const Workspace& workspace, const CheckOptions& options);

struct TraceOptions {
  std::string lab;
  std::string test;      // empty: the scenario of tests/points.json
  std::string seed;      // seed of the test's random choices; empty: its own
  std::string platform;  // empty: the default
  std::string out;       // the file; empty: build/trace/LAB.json
  bool solution = false;
  unsigned jobs = 1;
};
// Runs one test, prints its timeline, and writes it for Perfetto.
int trace(const Workspace& workspace, const TraceOptions& options);

struct GradeOptions : GradingOptions {
  std::vector<std::string> paths;
  std::string out;             // folder of the results; empty: build/grades
  bool fresh = false;          // repeat earlier grades
  bool show_solutions = true;  // show the solution next to the file on the students' pages
  std::string canvas;          // an exported gradebook to fill; empty: none
  std::string gradescope;      // file for the Gradescope results of the only submission; empty: none
};
// Grades submissions in a sandbox. Takes only the student's files from each.
int grade(const Workspace& workspace, const GradeOptions& options);

struct CompareOptions : GradingOptions {
  std::string first, second;  // paths of submissions; "solution" is the reference
  std::string html;           // a page with the files side by side; empty: none
  int rounds = 5;             // of measuring both servers of a lab; 0: no measurement
};
// Grades two submissions and shows how they differ.
int compare(const Workspace& workspace, const CompareOptions& options);

struct PackOptions {
  std::string zip;
  std::vector<std::string> labs;  // numbers; empty: all
};
// Packs this repository as an autograder for Gradescope.
int pack_gradescope(const Workspace& workspace, const PackOptions& options);

struct HandoutOptions {
  std::string out;   // the folder, new or empty
  bool zip = false;  // also pack OUT.zip
};
// Creates the students' copy: no solutions, no wrong programs, no hidden tests.
int handout(const Workspace& workspace, const HandoutOptions& options);

// Builds a program quietly, then replaces this process with it.
int run_target(const Workspace& workspace, const std::string& platform, const std::string& target,
               const std::vector<std::string>& arguments, unsigned jobs);

// Runs the measurements natively, or those of the Windows programs on `wine`.
int run_bench(const Workspace& workspace, const std::string& platform, std::vector<std::string> arguments, unsigned jobs);

// Measures the student's server of one lab against the reference; with `solution` the reference against itself. The
// arguments are for lab_versus.
int run_versus(const Workspace& workspace, const std::string& platform, const Lab& lab, bool solution, const std::vector<std::string>& arguments,
               unsigned jobs);

struct SuiteOptions {
  std::string stage;    // empty: the stages of the mode
  bool quick = false;   // only native stages
  bool all = false;     // everything that the record of proofs does not cover
  bool mutants = false; // the stage `mutants` alone, over the whole record
  bool fresh = false;   // even if the record covers it
  std::optional<std::uint64_t> seed;  // chooses the programs of tests/mutants; empty: random
  std::string lab;      // for mutants; empty: all
  unsigned runs = 20;   // with `mutants`: runs of each test that must fail
  unsigned jobs = 1;
};
int run_suite(const Workspace& workspace, const SuiteOptions& options);
std::string suite_stages(const Workspace& workspace);  // returns their names, for --help

struct SoakOptions {
  unsigned rounds = 1;
  std::string platform;  // empty: the default
  std::string lab;       // empty: all
  unsigned jobs = 1;
};
// Repeats the solutions' graded tests on busy cores, to estimate how often a right program fails.
int soak(const Workspace& workspace, const SoakOptions& options);

struct EvidenceOptions {
  std::string platform;  // empty: all; otherwise removes the places that this platform does not reach
  std::string lab;       // empty: all
  unsigned jobs = 1;
};
// Learns the places that every passing run reaches, from the solutions and natively from the right programs. Writes
// tests/evidence.json.
int learn_evidence(const Workspace& workspace, const EvidenceOptions& options);

// Returns an upper bound for the probability of a failure, with 95% confidence, after `failed` failures in `runs` runs:
// the one-sided Clopper-Pearson bound. Without a failure it is about 3 / runs.
double upper_bound(std::size_t failed, std::size_t runs);

}  // namespace grader
