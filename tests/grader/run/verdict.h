// Maps a finished test process (exit status, output, report) to a verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "child.h"

namespace grader {

// One test in GoogleTest's own report.
struct Reported {
  std::string name;  // "Suite.Name"
  bool ran = false;  // it ran to its end and was not skipped
  bool failed = false;
  double seconds = 0;
  std::string message;  // of its failures
  std::string reached;  // the places that it reached, one per line
  std::string seal;     // the seal of these places
};

// The start of the reason if a test ended without one of its places.
inline const std::string kEndedEarly = "expected that the test makes all its checks, but it ended without: ";

// What a pass needs in addition to a report that says so. Without `places` it needs nothing else.
struct Evidence {
  std::string key;                                   // the key that the test process received to seal what it reached
  const std::vector<std::string>* places = nullptr;  // that every right program reaches
};

// Parses GoogleTest's JSON, of a run or of --gtest_list_tests. Returns nullopt if it is not such a report.
std::optional<std::vector<Reported>> parse_report(const std::string& json);

// Sets verdict, reason, rule, seed, output and seconds of `test`. `json` is the report of its process, or empty if
// there is none.
//
// A pass needs a report that says "this one test ran and did not fail", exit code 0, and the evidence. GoogleTest
// writes its report last, so exit(0) in the code under test leaves none.
void judge(const Ended& ended, const std::string& json, bool sanitized, TestResult& test, const Evidence& evidence = {});

// Does the same for tests that ran in one process, if all of them passed and nothing in the output contradicts it.
// Otherwise returns false and changes nothing: then each test needs its own process. `evidence` has one entry for each
// test, or none at all.
bool judge_together(const Ended& ended, const std::string& json, bool sanitized, const std::vector<TestResult*>& tests,
                    const std::vector<Evidence>& evidence = {});

// Returns whether the test should run on one more platform. A failure on an earlier platform is final, except that a
// sanitizer's report may replace a crash or an inconsistent result of the first platform.
bool worth_another_platform(const TestResult& test, const std::string& first_platform);
// Updates `test` with its result on one more platform.
void merge_platform(TestResult& test, const TestResult& again, const std::string& first_platform);

// Returns the readable part of the output: without GoogleTest's own lines, and bounded. A sanitizer's report starts
// with what it says about `own_file`, the student's file ("lab04_worker/worker.cpp").
std::string readable_output(const std::string& output, const std::string& own_file = "");

// Returns "lab03 TODO 2" from "not started: lab03 TODO 2", or an empty string if there is none.
std::string todo_of(const std::string& output);

}  // namespace grader
