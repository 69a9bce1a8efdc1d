// `lab check`: the graded tests of one lab or of all, and their points.
#include <chrono>
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "build.h"
#include "commands.h"
#include "console.h"
#include "points.h"
#include "child.h"
#include "progress.h"
#include "runner.h"

namespace grader {

namespace {

class Checker {
 public:
  Checker(const Workspace& workspace, const CheckOptions& options)
      : workspace_(workspace), options_(options), platform_(workspace.platform(options.platform)) {
    report_.platform = platform_.name;
    report_.solutions = options.solutions;
  }

  int check_labs(const std::vector<Lab>& labs, bool stop_at_first) {
    // All labs are built together: that uses every core. Then, whoever failed has a build of its own.
    std::vector<std::string> targets;
    std::vector<LabResult> results;
    for (const Lab& lab : labs) {
      results.push_back(prepare(lab));
      if (results.back().problem == Problem::none) targets.push_back(workspace_.test_target(lab, options_.solutions));
    }
    std::vector<BuildResult> builds;
    if (!stop_at_first) builds = build_each(workspace_, build_folder(workspace_, platform_), targets, options_.jobs, progress_);

    std::size_t built = 0;
    for (std::size_t i = 0; i < labs.size() && !interrupted(); ++i) {
      LabResult& result = results[i];
      if (result.problem == Problem::none) {
        const auto start = std::chrono::steady_clock::now();
        check_lab(labs[i], stop_at_first ? build_one(labs[i]) : builds[built++], result);
        result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
      if (interrupted() && result.tests.empty()) break;
      print_lab(result, report_, workspace_);
      report_.labs.push_back(result);
      if (stop_at_first && !result.full()) break;
    }
    report_.interrupted = interrupted();
    if (report_.labs.size() > 1) print_summary(report_);
    if (report_.interrupted) std::printf("interrupted: this is what was done so far\n");
    return exit_code();
  }

 private:
  BuildResult build_one(const Lab& lab) {
    return build(workspace_, build_folder(workspace_, platform_), {workspace_.test_target(lab, options_.solutions)},
                 options_.jobs, progress_);
  }

  // What can be known before anything is built.
  LabResult prepare(const Lab& lab) const {
    LabResult result;
    result.number = lab.number;
    result.name = lab.name;
    result.file = options_.solutions ? lab.solution_file() : lab.student_file();
    try {
      if (!workspace_.has(lab.test_file())) throw GraderError(lab.test_file() + " is not there");
      read_points(workspace_.root / "tests/points.json", lab.name);
      if (!workspace_.has(result.file)) {
        result.problem = options_.solutions ? Problem::grader : Problem::build;
        result.problem_text = result.file + " is not there";
      }
    } catch (const GraderError& error) {
      result.problem = Problem::grader;
      result.problem_text = error.what();
    }
    return result;
  }

  void check_lab(const Lab& lab, const BuildResult& built, LabResult& result) {
    const std::vector<GradedTest> graded = read_points(workspace_.root / "tests/points.json", lab.name);
    result.tests.resize(graded.size());
    for (std::size_t i = 0; i < graded.size(); ++i) {
      result.tests[i].name = graded[i].name;
      result.tests[i].points = graded[i].points;
    }
    if (built.interrupted) return;
    result.log = built.log;
    if (!built.ok) {
      result.problem = Problem::build;
      result.problem_text = built.error;
      result.tests.clear();
      return;
    }
    run_lab(lab, graded, result);
    write_log(result);
  }

  void run_lab(const Lab& lab, const std::vector<GradedTest>& graded, LabResult& result) {
    progress_.phase("testing " + lab.name + " on " + platform_.name);
    const TestProgram program{workspace_.program(platform_, workspace_.test_target(lab, options_.solutions)), platform_};
    std::string why;
    const std::vector<std::string> existing = list_tests(program, why);
    if (interrupted()) return;
    if (existing.empty()) {
      // It ends before its first test. The runner's own complaint is the course's matter; anything else the student's.
      const bool ours = why.rfind("wine-run: ", 0) == 0 || why.rfind("setarch: ", 0) == 0;
      for (TestResult& test : result.tests) {
        test.verdict = ours ? Verdict::grader_error : Verdict::crash;
        test.reason = "the program ends before its first test";
        test.output = why;
      }
      return;
    }
    if (const std::string differences = compare_points(graded, existing); !differences.empty()) {
      result.problem = Problem::grader;
      result.problem_text = differences;
      result.tests.clear();
      return;
    }
    std::vector<TestRun> runs;
    for (std::size_t i = 0; i < graded.size(); ++i) runs.push_back({&program, graded[i].seconds, &result.tests[i]});
    progress_.detail("0/" + std::to_string(runs.size()));
    run_tests(runs, std::min(options_.jobs, platform_.most_jobs), [&](std::size_t done) {
      progress_.detail(std::to_string(done) + "/" + std::to_string(runs.size()));
    });
    progress_.clear();
  }

  void write_log(LabResult& result) const {
    result.log = workspace_.log("check-" + result.name + "-" + platform_.name);
    std::ofstream log(result.log);
    for (const TestResult& test : result.tests) {
      log << "==== " << test.name << ": " << name_of(test.verdict) << ", " << in_seconds(test.seconds) << " "
          << test.reason << "\n" << test.output << "\n";
    }
  }

  int exit_code() const {
    if (report_.interrupted) return kExitInterrupted;
    int code = kExitFull;
    for (const LabResult& lab : report_.labs) {
      int one = lab.full() ? kExitFull : kExitNotFull;
      if (lab.problem == Problem::build) one = kExitBuildFailed;
      if (lab.problem == Problem::grader) one = kExitGraderError;
      for (const TestResult& test : lab.tests) {
        if (test.verdict == Verdict::grader_error) one = kExitGraderError;
      }
      code = std::max(code, one);
    }
    return code;
  }

  const Workspace& workspace_;
  const CheckOptions& options_;
  const Platform platform_;
  Progress progress_;
  Report report_;
};

}  // namespace

int check(const Workspace& workspace, const CheckOptions& options) {
  Checker checker(workspace, options);
  if (options.lab.empty()) return checker.check_labs(workspace.labs, true);
  if (options.lab == "all") return checker.check_labs(workspace.labs, false);
  return checker.check_labs({workspace.lab(options.lab)}, false);
}

}  // namespace grader
