// From what is left of a test process to a verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "child.h"

namespace grader {

// One test, as GoogleTest's own report has it.
struct Reported {
  std::string name;  // "Suite.Name"
  bool ran = false;  // to its end, not skipped
  bool failed = false;
  double seconds = 0;
  std::string message;  // of its failures
  std::string reached;  // the places that it reached, one a line
  std::string seal;     // of them
};

// How the reason begins when a test ended without one of its places.
inline const std::string kEndedEarly = "expected that the test makes all its checks, but it ended without: ";

// What a pass needs beside a report that says so. Without `places` nothing more.
struct Evidence {
  std::string key;                                   // that the test process was given, to seal what it reached
  const std::vector<std::string>* places = nullptr;  // that every right program reaches
};

// GoogleTest's JSON, of a run or of --gtest_list_tests. Nothing when it is not such a report.
std::optional<std::vector<Reported>> parse_report(const std::string& json);

// Sets verdict, reason, rule, seed, output and seconds of `test`. `json` is the report of its process; empty when there is none.
//
// Nothing but a report that says "this one test ran and did not fail", together with exit code 0 and the evidence, is a pass.
// GoogleTest writes its report last, so exit(0) in tested code leaves none.
void judge(const Ended& ended, const std::string& json, bool sanitized, TestResult& test, const Evidence& evidence = {});

// The same for tests that ran in one process, if all of them passed and nothing in the output speaks against it. Otherwise
// returns false and changes nothing: then each test needs a process of its own.
// `evidence` has one entry for each test, or none at all.
bool judge_together(const Ended& ended, const std::string& json, bool sanitized, const std::vector<TestResult*>& tests,
                    const std::vector<Evidence>& evidence = {});

// Several platforms, one after the other: what failed on an earlier one has its verdict; but of a crash, or of luck, on the
// first one a sanitizer may know more.
bool worth_another_platform(const TestResult& test, const std::string& first_platform);
// `test`, as it is after it ran on one more platform.
void merge_platform(TestResult& test, const TestResult& again, const std::string& first_platform);

// The part of the output that a person wants to read: without GoogleTest's own lines, and not endless. A sanitizer's
// report shows first what it says of `own_file`, the student's ("lab04_worker/worker.cpp").
std::string story_of(const std::string& output, const std::string& own_file = "");

// "lab03 TODO 2" out of "not started: lab03 TODO 2"; empty when there is none.
std::string todo_of(const std::string& output);

}  // namespace grader
