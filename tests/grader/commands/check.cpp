// `lab check`: runs the graded tests of one lab or all labs and shows the points.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>

#include "build.h"
#include "commands.h"
#include "console.h"
#include "points.h"
#include "child.h"
#include "progress.h"
#include "runner.h"
#include "student_files.h"

namespace grader {

namespace {

// Returns 2 for "lab02 TODO 3", or 0 if there is no number.
int lab_of_todo(const std::string& todo) {
  return todo.starts_with("lab") ? std::atoi(todo.c_str() + 3) : 0;
}

// Returns a value that changes when the program is linked again. Hashing its contents would take as long as the tests.
std::string version_of(const std::filesystem::path& program) {
  std::error_code ignored;
  return std::to_string(std::filesystem::file_size(program, ignored)) + " " +
         std::to_string(std::filesystem::last_write_time(program, ignored).time_since_epoch().count()) + "\n";
}

// The validated options.
struct Plan {
  CheckOptions options;
  std::vector<Lab> labs;
  bool stop_at_first = false;        // stop at the first lab that lacks points
  std::vector<Platform> platforms;   // results of the first platform count first
  Report report;                     // without results
};

Plan plan_of(const Workspace& workspace, const CheckOptions& options) {
  if (options.solutions) workspace.need_solutions("check --solutions");
  if (!options.test.empty() && (options.lab.empty() || options.lab == "all")) throw UsageError("--test needs the lab: lab check 4 --test NAME");
  if (options.own && (options.solutions || !options.test.empty()))
    throw UsageError("--own runs all tests over your own labs; omit --solutions and --test");
  if (options.sanitizers && !options.platform.empty())
    throw UsageError("--sanitizers includes all of their platforms; omit --platform");
  const Platform asked = workspace.platform(options.platform);
  Plan plan;
  plan.options = options;
  plan.labs = options.lab.empty() || options.lab == "all" ? workspace.labs : std::vector<Lab>{workspace.lab(options.lab)};
  plan.stop_at_first = options.lab.empty();
  plan.platforms = {asked};
  plan.report.solutions = options.solutions;
  plan.report.one_test = !options.test.empty();
  std::string& again = plan.report.again;
  if (options.solutions) again += " --solutions";
  if (asked.name != workspace.platforms().front().name) again += " --platform " + asked.name;
  if (options.sanitizers) {
    for (const Platform& other : workspace.platforms()) {
      if (other.sanitized) plan.platforms.push_back(other);
    }
    if (plan.platforms.size() == 1) throw UsageError("there are no sanitizers on this system");
    again += " --sanitizers";
  }
  if (plan.report.one_test) again += " --test " + options.test;
  if (!options.seed.empty()) {
    again += " --seed " + options.seed;
    for (Platform& platform : plan.platforms) platform.env.emplace_back("LAB_SEED", options.seed);
  }
  return plan;
}

class Checker {
 public:
  Checker(const Workspace& workspace, const Plan& plan)
      : workspace_(workspace), options_(plan.options), platforms_(plan.platforms), report_(plan.report) {}

  int check_labs(const std::vector<Lab>& labs, bool stop_at_first) {
    std::vector<LabResult> results;
    std::vector<Lab> sound;
    for (const Lab& lab : labs) {
      results.push_back(prepare(lab));
      if (results.back().problem == Problem::none) sound.push_back(lab);
    }
    if (!stop_at_first) build_labs(sound);

    for (std::size_t i = 0; i < labs.size() && !interrupted(); ++i) {
      LabResult& result = results[i];
      if (result.problem == Problem::none) {
        if (stop_at_first) build_labs({labs[i]});
        const Clock::time_point start = Clock::now();
        check_lab(labs[i], result);
        result.seconds = since(start);
      }
      if (interrupted() && result.tests.empty()) break;
      print_lab(result, report_, workspace_);
      if (to_be_kept(result)) save_result(workspace_, result, options_.sanitizers ? "sanitizers" : platforms_.front().name);
      report_.labs.push_back(result);
      if (stop_at_first && !result.full()) break;
    }
    report_.interrupted = interrupted();
    if (report_.labs.size() > 1) print_summary(report_);
    if (report_.interrupted) std::printf("interrupted: these are the results so far\n");
    return exit_code();
  }

 private:
  std::string graded_target(const Lab& lab) const { return workspace_.test_target(lab, options_.solutions); }
  static std::string own_target(const Lab& lab) { return lab.name + "_test"; }

  // Returns whether `lab status` needs the result: only complete checks of the student's file are saved.
  bool to_be_kept(const LabResult& result) const {
    return !options_.solutions && !result.partial && !interrupted() && result.problem != Problem::grader;
  }

  // Builds all targets of a platform together, to use every core. A target that fails is then built alone.
  void build_labs(const std::vector<Lab>& labs) {
    std::vector<BuildFolder> folders;
    for (const Platform& platform : platforms_) folders.push_back(build_folder(workspace_, platform));
    if (folders.size() > 1 && !labs.empty()) {
      progress_.phase("configuring " + std::to_string(folders.size()) + " builds");
      configure_new(workspace_, folders);
    }
    for (const Platform& platform : platforms_) {
      std::vector<std::string> targets;
      for (const Lab& lab : labs) targets.push_back(graded_target(lab));
      const std::vector<BuildResult> builds = build_each(workspace_, build_folder(workspace_, platform), targets, options_.jobs, progress_);
      for (std::size_t i = 0; i < builds.size(); ++i) builds_[{platform.name, targets[i]}] = builds[i];
    }
  }

  // Fills in what is known before the build.
  LabResult prepare(const Lab& lab) const {
    LabResult result;
    result.number = lab.number;
    result.name = lab.name;
    result.file = options_.solutions ? lab.solution_file() : lab.student_file();
    result.file_hash = hash_of(read_text(workspace_.root / result.file));
    result.partial = report_.one_test;
    keep_starter(workspace_, lab);
    try {
      if (!workspace_.has(lab.test_file())) throw GraderError(lab.test_file() + " does not exist");
      for (const GradedTest& test : chosen(read_points(workspace_.root / "tests/points.json", lab.name))) {
        result.tests.push_back({});
        result.tests.back().name = test.name;
        result.tests.back().points = test.points;
      }
      if (!report_.one_test) result.hidden = left_out_points(workspace_.root / "tests/points.json", lab.name);
      if (!workspace_.has(result.file)) {
        result.problem = options_.solutions ? Problem::grader : Problem::build;
        result.problem_text = result.file + " does not exist";
      }
    } catch (const GraderError& error) {
      result.problem = Problem::grader;
      result.problem_text = error.what();
    }
    if (result.problem != Problem::none) result.tests.clear();
    return result;
  }

  // Returns all tests, or the one that was selected.
  std::vector<GradedTest> chosen(const std::vector<GradedTest>& graded) const {
    if (!report_.one_test) return graded;
    return {chosen_test(graded, options_.test)};
  }

  void check_lab(const Lab& lab, LabResult& result) {
    for (const Platform& platform : platforms_) {
      const BuildResult& built = builds_[{platform.name, graded_target(lab)}];
      if (built.interrupted) return;
      result.log = built.log;
      if (!built.ok) {
        result.problem = Problem::build;
        result.problem_text = built.error;
        result.tests.clear();
        return;
      }
    }
    const std::vector<GradedTest> graded = read_points(workspace_.root / "tests/points.json", lab.name);
    for (const Platform& platform : platforms_) {
      if (!interrupted() && result.problem == Problem::none) run_lab(lab, platform, graded, result);
    }
    make_smaller(lab, graded, result);
    result.log = workspace_.log("check-" + result.name + "-" + (options_.sanitizers ? "sanitizers" : platforms_.front().name));
    std::ofstream log(result.log);
    write_log(log, result.tests);
    if (!interrupted() && result.problem == Problem::none) check_own_chain(lab, graded, result, log);
    progress_.clear();
  }

  // Minimizes the order of the failure that will be shown.
  void make_smaller(const Lab& lab, const std::vector<GradedTest>& graded, LabResult& result) {
    constexpr double kMostSeconds = 5;
    const TestResult* const shown = failure_to_show(result);
    if (interrupted() || shown == nullptr || !options_.seed.empty() || !can_shrink(*shown)) return;
    progress_.phase("looking for a smaller order in which " + shown->name + " fails");
    TestResult& smallest = result.tests[static_cast<std::size_t>(shown - result.tests.data())];
    for (const Platform& platform : platforms_) {
      if (platform.name != smallest.platform) continue;
      const TestProgram program{workspace_.program(platform, graded_target(lab)), platform};
      const auto entry = std::find_if(graded.begin(), graded.end(), [&](const GradedTest& test) { return test.name == smallest.name; });
      shrink({&program, entry->seconds, &smallest, 0, nullptr, &entry->places}, kMostSeconds * platform.timeout_scale);
    }
  }

  void run_lab(const Lab& lab, const Platform& platform, const std::vector<GradedTest>& graded, LabResult& result) {
    progress_.phase("testing " + lab.name + " on " + platform.name);
    TestProgram program{workspace_.program(platform, graded_target(lab)), platform};
    if (const std::string first = options_.solutions ? "" : orders_to_run_first(workspace_, lab); !first.empty()) {
      program.platform.env.emplace_back("LAB_FIRST", first);
    }
    std::string why;
    const std::vector<std::string> existing = list_tests(program, why);
    if (interrupted()) return;
    if (existing.empty()) {
      // It ends before its first test. An error of the runner itself is the course's; any other error is the student's.
      const bool ours = why.starts_with("wine-run: ") || why.starts_with("setarch: ");
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
    const std::string first_platform = platforms_.front().name, failed = options_.solutions ? "" : last_failure(workspace_, lab);
    const auto run_those = [&](const std::function<bool(const TestResult&)>& wanted) {
      run_graded(program, graded, result.tests, [&](const TestResult& test) { return wanted(test) && worth_another_platform(test, first_platform); },
                 [&](TestResult& test, TestResult& again) { merge_platform(test, again, first_platform); }, failed);
    };
    const auto is_failed = [&](const TestResult& test) { return test.name == failed; };
    const auto found = std::find_if(result.tests.begin(), result.tests.end(), is_failed);
    if (!options_.failed_alone || found == result.tests.end()) return run_those([](const TestResult&) { return true; });
    run_those(is_failed);
    if (!found->passed()) {
      result.tests = {*found};
      result.partial = true;
      return;
    }
    run_those(std::not_fn(is_failed));
  }

  // Runs the tests selected by `wanted`, `first` before the others, and passes each result and the old one to `merge`.
  void run_graded(const TestProgram& program, const std::vector<GradedTest>& graded, std::vector<TestResult>& tests,
                  const std::function<bool(const TestResult&)>& wanted,
                  const std::function<void(TestResult&, TestResult&)>& merge, const std::string& first, int more_runs = 2,
                  std::atomic<int>* hangs_left = nullptr) {
    std::vector<TestResult> fresh;
    std::vector<TestResult*> old;
    for (TestResult& test : tests) {
      if (!wanted(test)) continue;
      fresh.push_back({});
      fresh.back().name = test.name;
      fresh.back().points = test.points;
      old.push_back(&test);
    }
    std::vector<TestRun> runs;
    for (TestResult& result : fresh) {
      const auto entry = std::find_if(graded.begin(), graded.end(), [&](const GradedTest& test) { return test.name == result.name; });
      runs.push_back({&program, entry->seconds, &result, more_runs, hangs_left, &entry->places});
    }
    std::stable_partition(runs.begin(), runs.end(), [&](const TestRun& run) { return run.result->name == first; });
    run_tests(runs, program.platform.tests_at_once(options_.jobs), progress_);
    for (std::size_t i = 0; i < fresh.size(); ++i) merge(*old[i], fresh[i]);
  }

  // Runs the same tests over the student's own earlier labs, to show whether their server works as a whole. This earns
  // no points, so it runs only if the lab has full points, or on demand.
  void check_own_chain(const Lab& lab, const std::vector<GradedTest>& graded, LabResult& result, std::ostream& log) {
    using Status = OwnChain::Status;
    OwnChain& own = result.own_chain;
    if (options_.solutions || result.partial || lab.number == 1) return;
    if (graded_target(lab) == own_target(lab)) {
      own.status = Status::no_reference;
    } else if (result.earned() == 0) {
      own.status = Status::no_points;
    } else if (!result.full() && !options_.own) {
      own.status = Status::not_asked_for;
    } else {
      build_own_chain(lab, graded, result, log);
    }
  }

  void build_own_chain(const Lab& lab, const std::vector<GradedTest>& graded, LabResult& result, std::ostream& log) {
    const Platform& platform = platforms_.front();
    const BuildResult built = build(workspace_, build_folder(workspace_, platform), {own_target(lab)}, options_.jobs, progress_);
    if (built.interrupted) return;
    if (!built.ok) {
      result.own_chain.status = OwnChain::Status::does_not_build;
      result.own_chain.log = built.log;
      return;
    }
    // The test program, and the program that it starts.
    const std::string version = version_of(workspace_.program(platform, own_target(lab))) + version_of(workspace_.program(platform, lab.name));
    if (result.full() && !options_.own && options_.seed.empty() && saved_own_chain(workspace_, lab) == version) {
      result.own_chain.status = OwnChain::Status::as_before;
      result.own_chain.earned = result.possible();
      return;
    }
    run_own_chain(lab, graded, result, log);
    if (result.own_chain.earned == result.possible()) save_own_chain(workspace_, lab, version);
  }

  // Takes little time: tests that have already failed are skipped, and two hangs end it.
  void run_own_chain(const Lab& lab, const std::vector<GradedTest>& graded, LabResult& result, std::ostream& log) {
    const Platform& platform = platforms_.front();
    progress_.phase("testing " + lab.name + " over your own labs");
    const TestProgram program{workspace_.program(platform, own_target(lab)), platform};
    std::vector<TestResult> tests = result.tests;
    std::atomic<int> hangs_left{2};
    run_graded(program, graded, tests, [](const TestResult& test) { return test.passed(); },
               [](TestResult& test, TestResult& again) { test = again; }, "", 0, &hangs_left);
    if (interrupted()) return;
    OwnChain& own = result.own_chain;
    own.status = OwnChain::Status::tested;
    for (const TestResult& test : tests) {
      own.earned += test.earned();
      if (!test.passed() && own.first_failure.empty()) own.first_failure = test.name;
      const int todo = test.verdict == Verdict::not_started ? lab_of_todo(todo_of(test.output)) : 0;
      if (todo > 0 && todo < lab.number && own.unwritten == 0) own.unwritten = todo;
    }
    if (own.unwritten > 0) own.status = OwnChain::Status::not_written;
    if (!own.first_failure.empty()) own.suspect = suspect_of(lab, tests);
    log << "\n==== over your own earlier labs\n\n";
    write_log(log, tests);
  }

  // Returns the earlier lab that a failure over the own chain names, or the first one that lacked points in its last
  // check.
  std::string suspect_of(const Lab& lab, const std::vector<TestResult>& tests) const {
    for (const TestResult& test : tests) {
      for (const Lab& earlier : workspace_.labs) {
        const bool named = !test.passed() && test.output.find(earlier.student_file() + ":") != std::string::npos;
        if (earlier.number < lab.number && named) return earlier.student_file();
      }
    }
    for (const Lab& earlier : workspace_.labs) {
      if (earlier.number >= lab.number) break;
      const auto saved = saved_result(workspace_, earlier);
      const bool same = saved && saved->hash == hash_of(read_text(workspace_.root / earlier.student_file()));
      if (!same || !saved->full()) return earlier.student_file();
    }
    return "";
  }

  static void write_log(std::ostream& log, const std::vector<TestResult>& tests) {
    for (const TestResult& test : tests) {
      log << "==== " << test.name << ": " << name_of(test.verdict) << (test.passed() ? "" : " on " + test.platform) << ", "
          << in_seconds(test.seconds) << " " << test.reason << "\n" << test.output << "\n";
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
  const std::vector<Platform>& platforms_;
  std::map<std::pair<std::string, std::string>, BuildResult> builds_;  // by platform and target
  Progress progress_;
  Report report_;
};

}  // namespace

int check(const Workspace& workspace, const CheckOptions& options) {
  const Plan plan = plan_of(workspace, options);
  return Checker(workspace, plan).check_labs(plan.labs, plan.stop_at_first);
}

}  // namespace grader
