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
  // For untrusted code: returns the command that runs `command` in the sandbox. It may write into `folder`, which is
  // emptied at the end, and into `files`, which exist.
  using Guard = std::function<Command(const Command& command, const std::filesystem::path& folder, const std::vector<std::filesystem::path>& files)>;
  Guard guard = nullptr;
  // The tests for which TestResult::timeline is kept. No timeline is kept for a test that stops at an unwritten TODO.
  enum class Timeline { of_none, of_failures, of_all };
  Timeline timeline = Timeline::of_none;
};

// Returns the tests of a program. If the program cannot list them, returns an empty vector and sets `why` to its
// output.
std::vector<std::string> list_tests(const TestProgram& program, std::string& why);

// One test to run. `result.name` is set; the run fills in the rest.
struct TestRun {
  const TestProgram* program = nullptr;
  double limit = 0;  // seconds, before the platform's factor is applied
  TestResult* result = nullptr;
  int more_runs = 2;  // number of repetitions of a failure; if one passes, the verdict is "inconsistent"
  std::atomic<int>* hangs_left = nullptr;  // shared by the tests of one program: at 0 the remaining tests are skipped
  const std::vector<std::string>* places = nullptr;  // what a pass must reach; see tests/evidence.json
};

// Called with the number of completed tests after each one; the calls never overlap.
using Done = std::function<void(std::size_t done)>;

// Runs the tests, `jobs` at once. Each result is stored at its own place, so the order of completion does not matter.
// Stops early if the user interrupts.
void run_tests(const std::vector<TestRun>& runs, unsigned jobs, const Done& on_done);
void run_tests(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress);  // shows "12/40"

// Does the same for programs that are expected to pass. All tests of a program run in one process. If that process
// fails, each test runs in its own process, and those results count. If all of these pass, and a second run in one
// process passes too, the first test is "inconsistent", and so is the program. The runs of one program must be
// adjacent.
void run_together(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress);

// Minimizes the order in which a test failed, as long as it fails in the same way: fewer preemptions, fewer short
// receives, the default choice elsewhere. `run.result` becomes that of the smallest order found in the time. Works for
// tests that print their decisions (tests/support/base/order.h); other tests stay unchanged. Returns how many orders
// were tried.
int shrink(const TestRun& run, double seconds);
bool can_shrink(const TestResult& test);

}  // namespace grader
