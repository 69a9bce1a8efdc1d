// Runs tests of GoogleTest programs, each test in a process of its own.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "progress.h"
#include "verdict.h"
#include "workspace.h"

namespace grader {

struct TestProgram {
  std::filesystem::path file;
  Platform platform;
  // Code that is not trusted: makes the command that runs `command` in a box. It may write into `folder`, which is empty
  // at the end, and into `files`, which are there.
  using Guard = std::function<Command(const Command& command, const std::filesystem::path& folder, const std::vector<std::filesystem::path>& files)>;
  Guard guard = nullptr;
  // Whose TestResult::timeline tells what its threads did. A TODO that is not written has nothing to tell.
  enum class Timeline { of_none, of_failures, of_all };
  Timeline timeline = Timeline::of_none;
};

// The tests a program has. Empty when it cannot say; `why` then holds its output.
std::vector<std::string> list_tests(const TestProgram& program, std::string& why);

// One test to run. `result.name` is set; the rest of it is filled in.
struct TestRun {
  const TestProgram* program = nullptr;
  double limit = 0;  // seconds, before the platform's patience
  TestResult* result = nullptr;
  int more_runs = 2;  // a failure is run again this often: when it passes then, the verdict is "inconsistent"
  std::atomic<int>* hangs_left = nullptr;  // shared by the tests of one program: at 0 the rest of them is not run
  const std::vector<std::string>* places = nullptr;  // that a pass must reach; see tests/evidence.json
};

// Is told how many are done, after each; the calls never overlap.
using Done = std::function<void(std::size_t done)>;

// Runs them, `jobs` at once. Each result goes to its place, so their order does not depend on which was first. Stops early
// when the user interrupts.
void run_tests(const std::vector<TestRun>& runs, unsigned jobs, const Done& on_done);
void run_tests(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress);  // shows "12/40"

// The same for programs that are expected to pass: all tests of a program run in one process, and only when that process
// does not pass, each test runs in a process of its own, which decides. When then all of them pass, and together they pass
// the second time, the first is "inconsistent": so is the program. The runs of one program must be neighbours.
void run_together(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress);

// Makes the order in which a test failed smaller, as long as it fails in the same way: fewer preemptions, fewer cut receives,
// the usual choice elsewhere. `run.result` is then that of the smallest order found in the time. For tests that print
// their decisions (tests/support/base/order.h); others stay as they are. Returns how many orders were tried.
int shrink(const TestRun& run, double seconds);
bool can_shrink(const TestResult& test);

}  // namespace grader
