// `lab test --mutants`: builds and runs the programs of tests/mutants, and writes the matrix.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "build.h"
#include "child.h"
#include "console.h"
#include "mutants.h"
#include "runner.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr double kOtherLimit = 10;  // seconds for a test that is not named
constexpr int kOtherHangs = 2;      // so many of them end the others of this program
constexpr unsigned kWrongPerJob = 4;  // most runs of a wrong program wait for what does not come

struct WrongRuns {
  const WrongProgram* program = nullptr;
  std::string not_built;                         // why it could not be built
  std::vector<std::vector<TestResult>> rounds;   // of the named tests, on the program's platform
  std::vector<TestResult> others;                // the tests that are not named, natively
  std::atomic<int> hangs_left{kOtherHangs};
  Kill kill;
};

struct RightRuns {
  const RightProgram* program = nullptr;
  std::string not_built;
  std::vector<std::vector<TestResult>> by_platform;  // as platforms() of the runner has them
};

struct LabRuns {
  Lab lab;
  std::vector<GradedTest> graded;
  Mutants mutants;
  std::vector<std::unique_ptr<WrongRuns>> wrong;
  std::vector<std::unique_ptr<RightRuns>> right;
};

TestResult fresh(const GradedTest& test) {
  TestResult result;
  result.name = test.name;
  result.points = test.points;
  return result;
}

class MutantRunner {
 public:
  MutantRunner(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log)
      : workspace_(workspace), options_(options), stage_(stage), progress_(progress), log_(log) {
    for (const Platform& platform : workspace.platforms()) {
      if (platform.name == "linux" || platform.sanitized) platforms_.push_back(platform);
    }
  }

  void run() {
    read_manifests();
    build_all();
    if (!interrupted()) run_all();
    for (const auto& lab : labs_) judge_lab(*lab);
    write_matrix();
  }

 private:
  void read_manifests() {
    for (const Lab& lab : workspace_.labs) {
      if (!options_.lab.empty() && workspace_.lab(options_.lab).name != lab.name) continue;
      try {
        auto runs = std::make_unique<LabRuns>();
        runs->lab = lab;
        runs->graded = read_points(workspace_.root / "tests/points.json", lab.name);
        const fs::path folder = workspace_.root / "tests/mutants" / lab.name;
        runs->mutants = read_mutants(folder);
        const std::string complaints = check_mutants(runs->mutants, folder, runs->graded);
        if (!complaints.empty()) stage_.fail(lab.name + ": its mutants.json is not right", complaints);
        prepare(*runs, folder);
        labs_.push_back(std::move(runs));
      } catch (const GraderError& error) {
        stage_.fail(lab.name, error.what());
      }
    }
  }

  // The places of all results. A program without a file or a test has a complaint already.
  void prepare(LabRuns& runs, const fs::path& folder) const {
    for (const WrongProgram& program : runs.mutants.wrong) {
      if (!fs::exists(folder / (program.name + ".cpp")) || !on(program.platform)) continue;
      auto wrong = std::make_unique<WrongRuns>();
      wrong->program = &program;
      std::vector<TestResult> named;
      for (const GradedTest& test : runs.graded) {
        const bool is_named = std::find(program.tests.begin(), program.tests.end(), test.name) != program.tests.end();
        (is_named ? named : wrong->others).push_back(fresh(test));
      }
      wrong->rounds.assign(options_.runs, named);
      runs.wrong.push_back(std::move(wrong));
    }
    for (const RightProgram& program : runs.mutants.right) {
      if (!fs::exists(folder / (program.name + ".cpp"))) continue;
      auto right = std::make_unique<RightRuns>();
      right->program = &program;
      for (std::size_t i = 0; i < platforms_.size(); ++i) {
        right->by_platform.push_back({});
        for (const GradedTest& test : runs.graded) right->by_platform.back().push_back(fresh(test));
      }
      runs.right.push_back(std::move(right));
    }
  }

  const Platform* on(const std::string& name) const {
    for (const Platform& platform : platforms_) {
      if (platform.name == name) return &platform;
    }
    return nullptr;
  }

  static std::string target(const Lab& lab, const std::string& program) { return lab.name + "_mutant_" + program + "_test"; }

  void build_all() {
    const Clock::time_point start = Clock::now();
    for (const Platform& platform : platforms_) {
      std::vector<std::string> targets;
      std::vector<std::string*> why;
      const auto want = [&](const Lab& lab, const std::string& name, std::string& not_built) {
        targets.push_back(target(lab, name));
        why.push_back(&not_built);
      };
      for (const auto& runs : labs_) {
        for (const auto& wrong : runs->wrong) {
          if (!platform.sanitized || platform.name == wrong->program->platform) want(runs->lab, wrong->program->name, wrong->not_built);
        }
        for (const auto& right : runs->right) want(runs->lab, right->program->name, right->not_built);
      }
      const std::vector<BuildResult> built = build_each(workspace_, build_folder(workspace_, platform), targets, options_.jobs, progress_);
      for (std::size_t i = 0; i < built.size(); ++i) {
        if (!built[i].ok) *why[i] = built[i].error + "All of it: " + workspace_.shown(built[i].log);
      }
      if (interrupted()) break;
    }
    stage_.build_seconds += since(start);
  }

  const TestProgram* program(const Platform& platform, const Lab& lab, const std::string& name) {
    programs_.push_back(std::make_unique<TestProgram>(TestProgram{workspace_.program(platform, target(lab, name)), platform}));
    return programs_.back().get();
  }

  void run_all() {
    const auto seconds_of = [](const LabRuns& lab, const TestResult& result) {
      return std::find_if(lab.graded.begin(), lab.graded.end(), [&](const GradedTest& test) { return test.name == result.name; })->seconds;
    };
    std::vector<TestRun> wrong_runs, right_runs;
    for (const auto& lab : labs_) {
      for (const auto& wrong : lab->wrong) {
        if (!wrong->not_built.empty()) continue;
        const TestProgram* const tested = program(*on(wrong->program->platform), lab->lab, wrong->program->name);
        for (auto& round : wrong->rounds) {
          for (TestResult& result : round) wrong_runs.push_back({tested, seconds_of(*lab, result), &result, 0, nullptr});
        }
        if (!options_.matrix) continue;  // the others decide nothing: they are run only to be told of
        const TestProgram* const native = program(platforms_.front(), lab->lab, wrong->program->name);
        for (TestResult& result : wrong->others) wrong_runs.push_back({native, kOtherLimit, &result, 0, &wrong->hangs_left});
      }
      for (const auto& right : lab->right) {
        if (!right->not_built.empty()) continue;
        for (std::size_t i = 0; i < platforms_.size(); ++i) {
          const TestProgram* const tested = program(platforms_[i], lab->lab, right->program->name);
          for (TestResult& result : right->by_platform[i]) right_runs.push_back({tested, seconds_of(*lab, result), &result, 0, nullptr});
        }
      }
    }
    const Clock::time_point start = Clock::now();
    run_with_progress("wrong programs", wrong_runs, options_.jobs * kWrongPerJob);
    run_with_progress("right programs", right_runs, options_.jobs);
    stage_.test_seconds += since(start);
  }

  void run_with_progress(const std::string& what, const std::vector<TestRun>& runs, unsigned jobs) {
    progress_.phase("mutants: testing the " + what);
    progress_.detail("0/" + std::to_string(runs.size()));
    run_tests(runs, jobs, [&](std::size_t done) { progress_.detail(std::to_string(done) + "/" + std::to_string(runs.size())); });
  }

  void fail(const std::string& what, const std::string& why, const TestResult* shown) {
    stage_.fail(what, why + "\n" + (shown != nullptr ? shown->output : ""), Verdict::wrong);
    stage_.failures.back().reason = why;
  }

  void judge_lab(LabRuns& runs) {
    const auto log = [&](const std::string& program, const TestResult& result) {
      log_ << runs.lab.name << " " << program << " " << result.name << ": " << name_of(result.verdict) << " on " << result.platform
           << (result.rule.empty() ? "" : ", rule " + result.rule) << ", " << in_seconds(result.seconds) << " " << result.reason << "\n";
    };
    for (const auto& wrong : runs.wrong) {
      const std::string& name = wrong->program->name;
      for (const auto& round : wrong->rounds) {
        for (const TestResult& result : round) log(name, result);
      }
      for (const TestResult& result : wrong->others) log(name, result);
      wrong->kill = judge_wrong(*wrong->program, wrong->rounds);
      if (!wrong->not_built.empty() && !interrupted()) {
        fail(runs.lab.name + " " + name, "does not build: " + wrong->not_built, nullptr);
      } else if (wrong->kill.how == Kill::How::killed) {
        ++stage_.passed;
      } else if (wrong->kill.how != Kill::How::not_run) {
        fail(runs.lab.name + " " + name, std::string(wrong->kill.how == Kill::How::survives ? "survives: " : "fails for another reason: ") + wrong->kill.why,
             wrong->kill.shown);
      }
    }
    for (const auto& right : runs.right) {
      const std::string name = runs.lab.name + " " + right->program->name;
      if (!right->not_built.empty() && !interrupted()) fail(name, "does not build: " + right->not_built, nullptr);
      bool whole = right->not_built.empty();
      for (const auto& results : right->by_platform) {
        for (const TestResult& result : results) {
          log(right->program->name, result);
          whole = whole && result.passed();
          if (!result.passed() && result.verdict != Verdict::not_run) fail(name, "loses points on " + result.platform + ": " + result.name + " " + result.reason, &result);
        }
      }
      stage_.passed += whole ? 1 : 0;
    }
  }

  // ---- the matrix -------------------------------------------------------------------------------------------------

  static std::string behind_dot(const std::string& test) { return test.substr(test.find('.') + 1); }

  static std::string state_of(const WrongRuns& wrong) {
    const std::string of = std::to_string(wrong.kill.killed) + " of " + std::to_string(wrong.kill.rounds);
    switch (wrong.kill.how) {
      case Kill::How::killed: return of;
      case Kill::How::survives: return "**survives**, " + of;
      case Kill::How::another_reason: return "**another reason**, " + of;
      case Kill::How::not_run: return wrong.not_built.empty() ? "-" : "**does not build**";
    }
    return "";
  }

  static std::string others_of(const WrongRuns& wrong) {
    const auto count = [&](auto&& is) { return std::to_string(std::count_if(wrong.others.begin(), wrong.others.end(), is)); };
    const std::string failed = count([](const TestResult& one) { return !one.passed() && one.verdict != Verdict::not_run; });
    const std::string not_run = count([](const TestResult& one) { return one.verdict == Verdict::not_run; });
    return failed + (not_run == "0" ? "" : ", - " + not_run);
  }

  static std::string score_of(const std::vector<TestResult>& results) {
    int sum = 0;
    bool run = false;
    for (const TestResult& result : results) {
      sum += result.earned();
      run = run || result.verdict != Verdict::not_run;
    }
    return run ? std::to_string(sum) : "-";
  }

  std::string section_of(const LabRuns& runs) const {
    std::ostringstream text;
    text << "| wrong program | its bug | verdict | on | rule | caught by | others | killed |\n|---|---|---|---|---|---|---|---|\n";
    std::map<std::string, int> catches;
    for (const auto& wrong : runs.wrong) {
      const WrongProgram& program = *wrong->program;
      std::string tests;
      for (const std::string& test : program.tests) {
        tests += (tests.empty() ? "" : ", ") + behind_dot(test);
        ++catches[test];
      }
      text << "| " << program.name << " | " << program.bug << " | " << name_of(program.verdict) << " | " << program.platform << " | "
           << program.rule << " | " << tests << " | " << others_of(*wrong) << " | " << state_of(*wrong) << " |\n";
    }
    std::string heads, rule;
    for (const Platform& platform : platforms_) {
      heads += " " + platform.name + " |";
      rule += "---|";
    }
    text << "\n| right program | its idea |" << heads << "\n|---|---|" << rule << "\n";
    for (const auto& right : runs.right) {
      text << "| " << right->program->name << " | " << right->program->idea << " |";
      for (const auto& results : right->by_platform) text << " " << score_of(results) << " |";
      text << "\n";
    }
    text << "\n| test | wrong programs that it must catch |\n|---|---|\n";
    for (const GradedTest& test : runs.graded) text << "| " << behind_dot(test.name) << " | " << catches[test.name] << " |\n";
    return text.str();
  }

  // One section per lab. What is not of this run stays as it is in the file.
  void write_matrix() const {
    const fs::path committed = workspace_.root / "tests/mutants/MATRIX.md";
    std::map<std::string, std::string> sections;
    if (options_.matrix) {
      std::ifstream old(committed);
      std::string lab;
      for (std::string line; std::getline(old, line);) {
        if (line.rfind("## ", 0) == 0) {
          lab = line.substr(3);
        } else if (!lab.empty() && (!line.empty() || !sections[lab].empty())) {
          sections[lab] += line + "\n";
        }
      }
    }
    for (auto& [lab, text] : sections) text.erase(text.find_last_not_of('\n') + 2);
    for (const auto& runs : labs_) sections[runs->lab.name] = section_of(*runs);

    std::ostringstream text;
    text << "# Wrong programs, and the tests that catch them\n\n"
            "Written by `./lab test --mutants`. Each wrong program stands for the student's file, over the reference labs. Every\n"
            "named test must fail on every run, with the verdict (and one of them with the rule) that stands here. \"others\": how\n"
            "many of the other tests fail, too, natively; \"-\" are those that were not run: two had hung, or only the named were asked for. A right program is\n"
            "written in another way than the solution, and must have 100 points on each platform.\n";
    for (const auto& [lab, section] : sections) text << "\n## " << lab << "\n\n" << section;
    const bool whole = options_.matrix && !interrupted();  // half a matrix does not go into the tree
    const fs::path file = whole ? committed : workspace_.log("mutants-matrix");
    std::ofstream(file, std::ios::binary) << text.str();
    progress_.clear();
    std::printf("what was caught: %s\n", workspace_.shown(file).c_str());
  }

  const Workspace& workspace_;
  const MutantOptions& options_;
  StageResult& stage_;
  Progress& progress_;
  std::ostream& log_;
  std::vector<Platform> platforms_;  // native, asan, tsan
  std::vector<std::unique_ptr<LabRuns>> labs_;
  std::vector<std::unique_ptr<TestProgram>> programs_;  // runs point at them
};

}  // namespace

void test_mutants(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log) {
  MutantRunner(workspace, options, stage, progress, log).run();
}

}  // namespace grader
