// `lab test`: tests the whole project, stage by stage.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "build.h"
#include "child.h"
#include "commands.h"
#include "console.h"
#include "mutants.h"
#include "points.h"
#include "progress.h"
#include "runner.h"
#include "student_files.h"
#include "warnings.h"

namespace grader {

namespace {

constexpr double kLimit = 60;        // seconds for a test that is not graded
constexpr double kLongLimit = 900;   // for tests that grade a class, or build the course again
constexpr unsigned kProgramsPerJob = 2;  // at once: their tests wait half of the time
constexpr double kQuickly = 10;          // a starter must print "not started" within this time; the machine may be busy

// Returns the time that `lab` has needed to install packages and to build this tool.
double seconds_since_lab_started() {
  const char* const started = std::getenv("LAB_STARTED");
  return started == nullptr ? 0 : std::max(0.0, static_cast<double>(std::time(nullptr) - std::atoll(started)));
}

class Suite {
 public:
  Suite(const Workspace& workspace, const SuiteOptions& options)
      : workspace_(workspace), options_(options), native_(workspace.platforms().front()), places_(read_evidence(workspace.root / "tests/evidence.json")) {}

  // quick: native stages without sanitizers. all: only with --all, or by name.
  enum class When { quick, usual, all };
  struct Stage {
    std::string name;
    When when;
    std::string what;  // only for stages of --all: for the line that lists what was left out
    std::function<void(StageResult&)> run;
  };

  std::vector<Stage> stages() {
    std::vector<Stage> all;
    const auto add = [&](const std::string& name, When when, const std::string& what, std::function<void(StageResult&)> run) {
      all.push_back({name, when, what, std::move(run)});
    };
    std::vector<std::string> tool = {"grader_test"};
    if (native_.name == "linux") tool.push_back("bench_test");
    add("grader", When::quick, "", [this, tool](StageResult& stage) { test_programs(stage, native_, tool); });
    for (const Platform& platform : workspace_.platforms()) {
      const bool native = platform.name == native_.name;
      add(platform.name, native ? When::quick : When::usual, "", [this, platform](StageResult& stage) { test_platform(stage, platform); });
      if (!native) continue;
      add("points", When::quick, "", [this](StageResult& stage) { compare_all_points(stage); });
      add("starters", When::quick, "", [this](StageResult& stage) { test_starters(stage); });
    }
#ifndef _WIN32
    add("mutants", When::usual, "", [this](StageResult& stage) { prove_mutants(stage); });
    add("warnings", When::all, "the warnings of clang++", [this](StageResult& stage) { compile_without_warnings(stage); });
    for (const std::string whole : {"hostile", "handout"}) {
      add(whole, When::all, whole == "hostile" ? "hostile submissions" : "a handout and its use", [this, whole](StageResult& stage) {
        test_programs(stage, native_, {whole + "_test"}, Verdict::passed, 1e9, kLongLimit);
      });
    }
#endif
    return all;
  }

  int run() {
    const std::vector<Stage> all = stages();
    const bool known = std::any_of(all.begin(), all.end(), [&](const Stage& stage) { return stage.name == options_.stage; });
    if (!options_.stage.empty() && !known) {
      throw UsageError("there is no stage '" + options_.stage + "' here; there are: " + suite_stages(workspace_));
    }
    const double set_up = seconds_since_lab_started();
    const Clock::time_point start = Clock::now();
    const When most = options_.quick ? When::quick : options_.all ? When::all : When::usual;
    for (const Stage& stage : all) {
      if (interrupted()) break;
      if (!options_.stage.empty() && stage.name != options_.stage) continue;
      if (options_.stage.empty() && stage.when > most) {
        if (most == When::usual) report_.left_out.push_back(stage.what);
        continue;
      }
      run_stage(stage);
    }
    report_.set_up_seconds = set_up;
    report_.seconds = set_up + since(start);
    report_.interrupted = interrupted();
    print_suite(report_);
    if (report_.interrupted) return kExitInterrupted;
    return report_.failed() == 0 && report_.passed() > 0 ? kExitFull : kExitNotFull;
  }

 private:
  void run_stage(const Stage& stage) {
    StageResult result;
    result.name = stage.name;
    result.log = workspace_.log("test-" + stage.name);
    log_.open(result.log);
    try {
      stage.run(result);
    } catch (const GraderError& error) {
      result.fail(stage.name, error.what());
    }
    for (const TestResult& failure : result.failures) {
      log_ << "\n==== failed: " << failure.name << ": " << name_of(failure.verdict) << " " << failure.reason << "\n" << failure.output << "\n";
    }
    log_.close();
    progress_.clear();
    print_stage(result, workspace_);
    if (!result.left_out.empty()) report_.left_out.push_back(result.left_out);
    report_.stages.push_back(result);
  }

  // Builds the targets and reports a failure for each one that cannot be built. Returns the others.
  std::vector<std::string> build_targets(StageResult& stage, const Platform& platform, const std::vector<std::string>& targets) {
    const Clock::time_point start = Clock::now();
    const std::vector<BuildResult> builds = build_each(workspace_, build_folder(workspace_, platform), targets, options_.jobs, progress_);
    stage.build_seconds += since(start);
    std::vector<std::string> good;
    for (std::size_t i = 0; i < builds.size() && !interrupted(); ++i) {
      if (builds[i].ok) {
        good.push_back(targets[i]);
      } else {
        stage.fail(targets[i] + " does not build",
                   builds[i].error + "Complete log: " + workspace_.shown(builds[i].log));
      }
    }
    return good;
  }

  // Checks that every test of every program ends with `expected`, within `most_seconds`.
  void test_programs(StageResult& stage, const Platform& platform, const std::vector<std::string>& targets,
                     Verdict expected = Verdict::passed, double most_seconds = 1e9, double limit = kLimit) {
    std::vector<std::unique_ptr<TestProgram>> programs;
    std::vector<std::pair<const TestProgram*, TestResult>> tests;
    const std::vector<std::string> good = build_targets(stage, platform, targets);
    const Clock::time_point start = Clock::now();
    progress_.phase(stage.name + ": testing");
    for (const std::string& target : good) {
      programs.push_back(std::make_unique<TestProgram>(TestProgram{workspace_.program(platform, target), platform}));
      std::string why;
      const std::vector<std::string> names = list_tests(*programs.back(), why);
      if (names.empty() && !interrupted()) stage.fail(target + " has no tests", why, Verdict::crash);
      for (const std::string& name : names) {
        tests.emplace_back(programs.back().get(), TestResult{});
        tests.back().second.name = name;
      }
    }
    std::vector<TestRun> runs;
    for (auto& [program, result] : tests) runs.push_back({program, limit, &result, 2, nullptr, &places_[result.name]});
    const unsigned programs_at_once = std::min(options_.jobs * kProgramsPerJob, platform.most_jobs);
    const bool long_ones = limit > kLimit;
    if (expected == Verdict::passed && !long_ones) {
      run_together(runs, programs_at_once, progress_);
    } else {
      run_tests(runs, platform.tests_at_once(options_.jobs), progress_);
    }
    for (auto& [program, result] : tests) {
      log_ << "==== " << program->file.filename().string() << " " << result.name << ": " << name_of(result.verdict) << ", "
           << in_seconds(result.seconds) << " " << result.reason << "\n";
      if (result.verdict == Verdict::not_run) continue;
      if (result.verdict == expected && result.seconds <= most_seconds) {
        ++stage.passed;
        continue;
      }
      if (result.reason.starts_with(kEndedEarly)) result.output += "\ntests/evidence.json may be out of date: lab test --evidence writes it\n";
      if (expected != Verdict::passed) {
        result.reason =
            std::string("expected '") + name_of(expected) + "' without delay; it took " + in_seconds(result.seconds);
      }
      result.name = program->file.stem().string() + " " + result.name;
      stage.failures.push_back(result);
    }
    stage.test_seconds += since(start);
  }

  // Returns the labs that have tests; a lab without tests is a failure.
  std::vector<Lab> labs_with_tests(StageResult& stage) const {
    std::vector<Lab> labs;
    for (const Lab& lab : workspace_.labs) {
      if (workspace_.has(lab.test_file())) {
        labs.push_back(lab);
      } else {
        stage.fail(lab.name, lab.test_file() + " does not exist");
      }
    }
    return labs;
  }

  void test_platform(StageResult& stage, const Platform& platform) {
    std::vector<std::string> targets = {"platform_conformance", "support_test"};
    if (platform.name == "wine") wait_for_packages();
    if (platform.name == native_.name) build_targets(stage, platform, {"all"});  // without warnings, see LAB_WERROR
    if (platform.name == "wine") targets.push_back("grader_test");  // the Windows half of the tool
    for (const Lab& lab : labs_with_tests(stage)) targets.push_back(workspace_.test_target(lab, true));
    test_programs(stage, platform, targets);
  }

  void test_starters(StageResult& stage) {
    std::vector<std::string> targets;
    for (const Lab& lab : labs_with_tests(stage)) targets.push_back(workspace_.test_target(lab, false));
    test_programs(stage, native_, targets, Verdict::not_started, kQuickly);
  }

  void compare_all_points(StageResult& stage) {
    const std::vector<Lab> labs = labs_with_tests(stage);
    std::vector<std::string> targets;
    for (const Lab& lab : labs) targets.push_back(workspace_.test_target(lab, true));
    const std::vector<std::string> good = build_targets(stage, native_, targets);
    for (std::size_t i = 0; i < labs.size(); ++i) {
      if (std::find(good.begin(), good.end(), targets[i]) == good.end()) continue;  // already counted as a failure
      try {
        std::string why;
        const auto graded = read_points(workspace_.root / "tests/points.json", labs[i].name);
        const auto existing = list_tests({workspace_.program(native_, targets[i]), native_}, why);
        const std::string differences = existing.empty() ? why : compare_points(graded, existing);
        if (!differences.empty()) throw GraderError(differences);
        for (const GradedTest& test : graded) {
          if (test.places.empty()) throw GraderError("tests/evidence.json does not have " + test.name + ": lab test --evidence writes it");
        }
        chosen_test(graded, read_scenario(workspace_.root / "tests/points.json", labs[i].name));
        ++stage.passed;
      } catch (const std::runtime_error& error) {
        stage.fail("points of " + labs[i].name, error.what());
      }
    }
  }

  // `lab` installs the Windows compiler and Wine during the first stages, and holds this lock until it is done.
  void wait_for_packages() {
    progress_.phase("waiting for packages");
    const FileLock installed(workspace_.build / "packages.lock");
  }

  void prove_mutants(StageResult& stage) {
    MutantOptions options;
    options.which = options_.fresh ? MutantOptions::Which::all
                    : options_.all || options_.mutants ? MutantOptions::Which::unproved
                                                       : MutantOptions::Which::sample;
    options.seed = options_.seed ? *options_.seed : std::random_device()();
    options.lab = options_.lab;
    options.runs = options_.mutants ? options_.runs : 1;
    options.others = options_.mutants && options_.runs > 1;
    options.jobs = options_.jobs;
    test_mutants(workspace_, options, stage, progress_, log_);
  }

  // Compiles with clang++. The build has already turned the warnings of g++ into errors (LAB_WERROR).
  void compile_without_warnings(StageResult& stage) {
    const Clock::time_point start = Clock::now();
    build_targets(stage, native_, {"all"});
    const std::string cache = read_text(workspace_.build_dir(native_) / "CMakeCache.txt");
    const bool said = cache.find("\nLAB_WERROR:BOOL=ON") != std::string::npos;
    for (const std::string compiler : {"g++", "clang++"}) {
      if (compiler == "g++" && said) continue;
      Command probe;
      probe.args = {compiler, "--version"};
      if (!grader::run(probe).ok()) continue;
      const std::vector<Warned> files = warnings_of(workspace_, native_, compiler, options_.jobs, progress_);
      if (files.empty() && !interrupted()) ++stage.passed;
      for (const Warned& file : files) stage.fail(compiler + " warns of " + file.source, file.output, Verdict::wrong);
    }
    stage.build_seconds = since(start);
  }

  const Workspace& workspace_;
  const SuiteOptions& options_;
  const Platform native_;
  std::map<std::string, std::vector<std::string>> places_;  // the places that a pass must reach, by test
  Progress progress_;
  std::ofstream log_;
  SuiteReport report_;
};

}  // namespace

int run_suite(const Workspace& workspace, const SuiteOptions& options) {
  workspace.need_solutions("test");
  return Suite(workspace, options).run();
}

std::string suite_stages(const Workspace& workspace) {
  std::string names;
  const SuiteOptions options;
  for (const auto& stage : Suite(workspace, options).stages()) names += (names.empty() ? "" : ", ") + stage.name;
  return names;
}

}  // namespace grader
