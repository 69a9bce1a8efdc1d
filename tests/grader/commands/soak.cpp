// `lab test --soak`: repeats the solutions' graded tests next to one busy thread per core.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

#include "build.h"
#include "child.h"
#include "commands.h"
#include "console.h"
#include "points.h"
#include "progress.h"
#include "runner.h"

namespace grader {

namespace {

class BusyCores {
 public:
  BusyCores() {
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyCores() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  BusyCores(const BusyCores&) = delete;
  BusyCores& operator=(const BusyCores&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

struct SoakedLab {
  TestProgram program;
  std::vector<GradedTest> graded;
  std::string name;
  std::size_t runs = 0;
  std::size_t failed = 0;
};

std::string in_percent(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%%", 100 * rate);
  return text;
}

void print_line(const std::string& name, std::size_t runs, std::size_t failed) {
  std::printf("%-24s %8zu %9zu  %9s  %s\n", name.c_str(), runs, failed,
              runs == 0 ? "-" : in_percent(static_cast<double>(failed) / static_cast<double>(runs)).c_str(),
              runs == 0 ? "-" : in_percent(upper_bound(failed, runs)).c_str());
}

}  // namespace

double upper_bound(std::size_t failed, std::size_t runs) {
  if (failed >= runs) return 1;
  const double n = static_cast<double>(runs);
  const auto at_most_failed = [&](double p) {  // the probability of so few failures
    double sum = 0;
    for (std::size_t i = 0; i <= failed; ++i) {
      const double k = static_cast<double>(i);
      sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) + (n - k) * std::log1p(-p));
    }
    return sum;
  };
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (at_most_failed(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

int soak(const Workspace& workspace, const SoakOptions& options) {
  workspace.need_solutions("test --soak");
  const Platform platform = workspace.platform(options.platform);
  std::vector<std::string> targets;
  std::vector<SoakedLab> labs;
  for (const Lab& lab : workspace.labs) {
    if (!options.lab.empty() && workspace.lab(options.lab).name != lab.name) continue;
    targets.push_back(workspace.test_target(lab, true));
    labs.push_back({{workspace.program(platform, targets.back()), platform}, read_points(workspace.root / "tests/points.json", lab.name), lab.name});
  }
  Progress progress;
  const BuildResult built = build(workspace, build_folder(workspace, platform), targets, options.jobs, progress);
  if (built.interrupted) return kExitInterrupted;
  if (!built.ok) {
    std::printf("%sComplete log: %s\n", indented(built.error, workspace).c_str(), workspace.shown(built.log).c_str());
    return kExitBuildFailed;
  }

  const auto log_file = workspace.log("soak-" + platform.name);
  std::ofstream log(log_file);
  std::vector<TestResult> first_failures;
  std::size_t all_runs = 0, all_failed = 0;
  {
    const BusyCores busy;
    progress.phase("soaking on " + platform.name + ", all cores busy");
    for (unsigned round = 1; round <= options.rounds && !interrupted(); ++round) {
      std::vector<TestResult> results;
      std::vector<SoakedLab*> owners;
      std::vector<const GradedTest*> tests;
      for (SoakedLab& lab : labs) {
        for (const GradedTest& test : lab.graded) {
          results.push_back({});
          results.back().name = test.name;
          owners.push_back(&lab);
          tests.push_back(&test);
        }
      }
      std::vector<TestRun> runs;
      for (std::size_t i = 0; i < results.size(); ++i) runs.push_back({&owners[i]->program, tests[i]->seconds, &results[i], 0, nullptr, &tests[i]->places});
      run_tests(runs, std::min(options.jobs, platform.most_jobs), [&](std::size_t done) {
        progress.detail("round " + std::to_string(round) + "/" + std::to_string(options.rounds) + ", " + std::to_string(done) + "/" +
                        std::to_string(runs.size()) + ", failed: " + std::to_string(all_failed));
      });
      for (std::size_t i = 0; i < results.size(); ++i) {
        const TestResult& result = results[i];
        if (result.verdict == Verdict::not_run) continue;
        ++owners[i]->runs;
        ++all_runs;
        if (result.passed()) continue;
        ++owners[i]->failed;
        ++all_failed;
        log << "==== round " << round << " " << result.name << ": " << name_of(result.verdict) << ", " << in_seconds(result.seconds) << " "
            << result.reason << "\n" << result.output << "\n" << std::flush;
        if (first_failures.size() < 20) first_failures.push_back(result);
      }
    }
    progress.clear();
  }

  std::printf("\n%-24s %8s %9s  %9s  %s\n", ("on " + platform.name).c_str(), "runs", "failures", "rate", "95% upper bound");
  for (const SoakedLab& lab : labs) print_line(lab.name, lab.runs, lab.failed);
  print_line("all", all_runs, all_failed);
  std::printf(
      "A run is one test in its own process. The bound is the one-sided Clopper-Pearson bound: 3 / runs without a "
      "failure.\n");
  if (!first_failures.empty()) {
    std::printf("\n");
    print_failure(first_failures.front(), workspace);
    for (const TestResult& failure : first_failures) std::printf("%s  %s\n", failure.name.c_str(), name_of(failure.verdict));
    std::printf("Complete log: %s\n", workspace.shown(log_file).c_str());
  }
  if (interrupted()) std::printf("interrupted: these are the results so far\n");
  std::fflush(stdout);
  return interrupted() ? kExitInterrupted : all_failed == 0 && all_runs > 0 ? kExitFull : kExitNotFull;
}

}  // namespace grader
