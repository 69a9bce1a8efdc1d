// The commands of the tool, behind the command line. Each returns an exit code.
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
  std::string lab;       // a number, "all", or empty: go on where points are missing
  std::string platform;  // empty: the default
  bool solutions = false;
  bool sanitizers = false;  // natively and under each sanitizer: a point needs a pass on all of them
  std::string test;         // only this one; empty: all
  std::string seed;         // for what the tests draw; empty: theirs
  bool own = false;         // runs the tests over the student's own earlier labs, too, whatever the points
  bool failed_alone = false;  // the test that failed last time runs alone first; when it fails again, no other test runs
  unsigned jobs = 1;
};
int check(const Workspace& workspace, const CheckOptions& options);

struct TraceOptions {
  std::string lab;
  std::string test;      // empty: the scenario of tests/points.json
  std::string seed;      // for what the test draws; empty: its own
  std::string platform;  // empty: the default
  std::string out;       // the file; empty: build/trace/LAB.json
  bool solution = false;
  unsigned jobs = 1;
};
// Runs one test, prints its timeline, and writes it for Perfetto.
int trace(const Workspace& workspace, const TraceOptions& options);

struct GradeOptions : GradingOptions {
  std::vector<std::string> paths;
  std::string out;             // the folder of the results; empty: build/grades
  bool fresh = false;          // also what was graded before
  bool show_solutions = true;  // the students' pages have the solution beside the file
  std::string canvas;          // an exported gradebook that is filled; empty: none
  std::string gradescope;      // the one path is one submission, whose results.json for Gradescope goes here; empty: none
};
// Grades submissions in a sandbox; takes from each only the student's files.
int grade(const Workspace& workspace, const GradeOptions& options);

struct CompareOptions : GradingOptions {
  std::string first, second;  // paths of submissions; "solution" is the reference
  std::string html;           // a page with the files side by side; empty: none
  int rounds = 5;             // in which both servers of a lab are measured; 0: they are not
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
  bool zip = false;  // OUT.zip, too
};
// What students get: no solutions, no wrong programs, no hidden tests.
int handout(const Workspace& workspace, const HandoutOptions& options);

// Builds a program quietly, then becomes it.
int run_target(const Workspace& workspace, const std::string& platform, const std::string& target,
               const std::vector<std::string>& arguments, unsigned jobs);

// The measurements. They run natively; on `wine` they measure the Windows programs.
int run_bench(const Workspace& workspace, const std::string& platform, std::vector<std::string> arguments, unsigned jobs);

// The student's server of one lab against the reference; with `solution` the reference against itself. The arguments are
// for lab_versus.
int run_versus(const Workspace& workspace, const std::string& platform, const Lab& lab, bool solution, const std::vector<std::string>& arguments,
               unsigned jobs);

struct SuiteOptions {
  std::string stage;    // empty: those of the mode
  bool quick = false;   // what runs natively
  bool all = false;     // everything that the record of proofs does not cover
  bool mutants = false; // the stage `mutants` alone, over the whole record
  bool fresh = false;   // whatever the record says
  std::optional<std::uint64_t> seed;  // chooses the programs of tests/mutants; empty: by chance
  std::string lab;      // for mutants; empty: all
  unsigned runs = 20;   // with `mutants`: of each test that must fail
  unsigned jobs = 1;
};
int run_suite(const Workspace& workspace, const SuiteOptions& options);
std::string suite_stages(const Workspace& workspace);  // their names, for --help

struct SoakOptions {
  unsigned rounds = 1;
  std::string platform;  // empty: the default
  std::string lab;       // empty: all
  unsigned jobs = 1;
};
// The solutions' graded tests again and again, on cores that are busy: how often does a right program fail?
int soak(const Workspace& workspace, const SoakOptions& options);

struct EvidenceOptions {
  std::string platform;  // empty: all; else the places that this platform does not reach are taken out
  std::string lab;       // empty: all
  unsigned jobs = 1;
};
// Learns from the solutions, and natively from the right programs, what every passing run reaches. Writes tests/evidence.json.
int learn_evidence(const Workspace& workspace, const EvidenceOptions& options);

// With 95% certainty a failure is no more likely than this, after `failed` failures in `runs` runs: the one-sided bound
// of Clopper and Pearson. Without a failure it is about 3 / runs.
double upper_bound(std::size_t failed, std::size_t runs);

}  // namespace grader
