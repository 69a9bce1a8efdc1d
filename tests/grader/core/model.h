// The result model: what a run found. Each report format is a function of this model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace grader {

// inconsistent: it fails in one run and passes in another.
enum class Verdict { passed, not_started, wrong, crash, hang, race, leak, inconsistent, grader_error, not_run };

inline const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::not_started: return "not started";
    case Verdict::wrong: return "wrong";
    case Verdict::crash: return "crash";
    case Verdict::hang: return "hang";
    case Verdict::race: return "race";
    case Verdict::leak: return "leak";
    case Verdict::inconsistent: return "inconsistent";
    case Verdict::grader_error: return "grader error";
    case Verdict::not_run: return "not run";
  }
  return "?";
}

struct TestResult {
  std::string name;  // "Suite.Name"
  int points = 0;
  Verdict verdict = Verdict::not_run;
  std::string reason;  // one line: the reason for this verdict
  std::string rule;    // the broken rule, such as "one_recv"; empty for any other failure
  std::string seed;    // what determined the failing run: a seed or an order (order.h); empty if the test printed none
  std::string decisions;  // every decision of that run, as an order; empty if the test printed none
  std::string orders;     // "every order with at most 2 preemptions: 132"; empty when the test enumerated none
  std::string platform;  // where it failed
  std::string output;  // what the test printed; bounded
  std::string timeline;              // what its threads and operations did, if it failed: text for parse_timeline
  std::vector<std::string> reached;  // its steps, and the checks that succeeded
  double seconds = 0;

  bool passed() const { return verdict == Verdict::passed; }
  int earned() const { return passed() ? points : 0; }
};

// Why the tests of a lab could not be run at all. `missing`: the file was not submitted.
enum class Problem { none, build, grader, missing };

// The tests of a lab, run over the student's own earlier labs.
struct OwnChain {
  enum class Status {
    none,           // for lab 1, for the solutions, or if not all tests were run
    no_reference,   // the grade itself was computed over them
    no_points,      // the lab has no points yet
    not_asked_for,  // the lab does not have full points
    does_not_build,
    not_written,  // an earlier lab is not written yet
    tested,
    as_before,  // full points, with the same programs as last time
  };
  Status status = Status::none;
  int earned = 0;
  std::string first_failure;  // a test; empty: none
  int unwritten = 0;          // the number of the first earlier lab that is not written
  std::string suspect;        // file of the earlier lab that is the likely cause; empty if unknown
  std::filesystem::path log;  // of the build
};

struct LabResult {
  int number = 0;
  std::string name;                    // "lab03_overlapped_ex"
  std::string file;                    // the file that is graded, relative to the root
  std::string file_hash;               // of its text, computed before the build
  std::vector<TestResult> tests;       // in the order of the manifest
  Problem problem = Problem::none;
  std::string problem_text;      // may have several lines
  std::string problem_platform;  // the platform on which it does not build
  std::filesystem::path log;     // the complete output
  bool partial = false;          // not all tests were selected: --test, or the failing test that fails again
  OwnChain own_chain;
  int hidden = 0;  // points of tests that this copy of the course does not contain
  double seconds = 0;

  int earned() const {
    int sum = 0;
    for (const TestResult& test : tests) sum += test.earned();
    return sum;
  }
  int possible() const {
    int sum = 0;
    for (const TestResult& test : tests) sum += test.points;
    return sum;
  }
  bool full() const { return problem == Problem::none && possible() > 0 && earned() == possible(); }
};

// Returns the most informative of the failed tests, or a null pointer: first a test with a rule or a line of the
// student's file, then a wrong value, then a hang, then an unwritten TODO.
inline const TestResult* failure_to_show(const LabResult& lab) {
  const auto rank = [&](const TestResult& test) {
    if (!test.rule.empty() || test.output.find(lab.file + ":") != std::string::npos) return 0;
    if (test.verdict == Verdict::hang) return 2;
    return test.verdict == Verdict::not_started ? 3 : 1;
  };
  const TestResult* shown = nullptr;
  for (const TestResult& test : lab.tests) {
    if (test.passed() || test.verdict == Verdict::not_run) continue;
    if (shown == nullptr || rank(test) < rank(*shown)) shown = &test;
  }
  return shown;
}

struct Report {
  // The options after the lab, such as " --solutions --platform asan"; with them the same check is repeated
  std::string again;
  bool solutions = false;
  bool one_test = false;  // --test: the points do not matter
  bool interrupted = false;
  std::vector<LabResult> labs;
};

// The result of one stage of `lab test`. A failure is a test without its expected verdict, or an error that kept one
// from running.
struct StageResult {
  std::string name;
  std::size_t passed = 0;
  std::vector<TestResult> failures;
  double build_seconds = 0;
  double test_seconds = 0;
  std::string notes;     // what was selected, for its line
  std::string left_out;  // what only `lab test --all` runs of this stage
  std::filesystem::path log;

  void fail(const std::string& what, const std::string& output, Verdict verdict = Verdict::grader_error) {
    TestResult result;
    result.name = what;
    result.output = output;
    result.verdict = verdict;
    failures.push_back(result);
  }
};

struct SuiteReport {
  bool interrupted = false;
  double seconds = 0;         // total, from the start of `lab`
  double set_up_seconds = 0;  // until the tool ran: packages, and its own build
  std::vector<std::string> left_out;  // what only `lab test --all` runs
  std::vector<StageResult> stages;

  std::size_t passed() const {
    std::size_t sum = 0;
    for (const StageResult& stage : stages) sum += stage.passed;
    return sum;
  }
  std::size_t failed() const {
    std::size_t sum = 0;
    for (const StageResult& stage : stages) sum += stage.failures.size();
    return sum;
  }
};

// The exit codes of the tool.
enum ExitCode : int {
  kExitFull = 0,        // full points; every test passed
  kExitNotFull = 1,     // a point is missing; a test failed
  kExitBadUsage = 2,    // the command line is wrong
  kExitBuildFailed = 4,
  kExitGraderError = 5,
  kExitInterrupted = 130,
};

}  // namespace grader
