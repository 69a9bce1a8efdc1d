// `lab test --evidence`: finds the steps and checks that every passing run of a test reaches. Writes
// tests/evidence.json.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <list>
#include <map>

#include <nlohmann/json.hpp>

#include "build.h"
#include "child.h"
#include "commands.h"
#include "console.h"
#include "mutants.h"
#include "points.h"
#include "progress.h"
#include "runner.h"

namespace grader {

namespace {

using Places = std::map<std::string, std::vector<std::string>>;  // by test, in the order in which they were reached

// The runs of a solution: twice with all seeds, because the runs are random, and with single seeds, as --seed selects
// them.
const std::vector<std::string> kSeeds = {"", "", "1", "2", "3", "4", "5"};
const std::vector<std::string> kSeedsOfRight = {"", "1"};  // of a right program of tests/mutants

class Learner {
 public:
  Learner(const Workspace& workspace, const EvidenceOptions& options)
      : workspace_(workspace), options_(options), file_(workspace.root / "tests/evidence.json"), evidence_(read_evidence(file_)) {
    for (const Lab& lab : workspace.labs) {
      if (options.lab.empty() || workspace.lab(options.lab).name == lab.name) labs_.push_back(lab);
    }
  }

  int run() {
    for (const Platform& platform : workspace_.platforms()) {
      if (!has_evidence(platform)) continue;
      if (!options_.platform.empty() && workspace_.platform(options_.platform).name != platform.name) continue;
      if (!learn_from(platform)) return interrupted() ? kExitInterrupted : kExitNotFull;
    }
    // With --platform, keeps only places that this platform reaches, too.
    for (auto& [test, places] : learnt_) {
      const auto old = evidence_.find(test);
      if (!options_.platform.empty() && old != evidence_.end()) keep_common(places, old->second);
      evidence_[test] = places;
    }
    if (options_.lab.empty()) forget_others();
    std::ofstream(file_, std::ios::binary) << nlohmann::ordered_json(evidence_).dump(1) << "\n";
    std::printf("%zu tests in %s\n", evidence_.size(), workspace_.shown(file_).c_str());
    return kExitFull;
  }

 private:
  static void keep_common(std::vector<std::string>& places, const std::vector<std::string>& others) {
    places.erase(std::remove_if(places.begin(), places.end(),
                                [&](const std::string& place) { return std::find(others.begin(), others.end(), place) == others.end(); }),
                 places.end());
  }

  // Returns the tests of the solution, and natively those of the right programs of tests/mutants.
  std::vector<std::string> test_programs(const Lab& lab, const Platform& platform) const {
    std::vector<std::string> all = {workspace_.test_target(lab, true)};
    if (platform.name != workspace_.platforms().front().name) return all;
    for (const RightProgram& program : read_mutants(workspace_.root / "tests/mutants" / lab.name).right) all.push_back(lab.name + "_mutant_" + program.name + "_test");
    return all;
  }

  bool learn_from(const Platform& platform) {
    for (const Lab& lab : labs_) {
      const std::vector<std::string> programs = test_programs(lab, platform);
      std::vector<std::string> targets = programs;
      // Its tests start it
      for (const std::string& program : programs) targets.push_back(program.substr(0, program.rfind("_test")));
      const BuildResult built = build(workspace_, build_folder(workspace_, platform), targets, options_.jobs, progress_);
      if (!built.ok) {
        std::printf("%sComplete log: %s\n", indented(built.error, workspace_).c_str(),
                    workspace_.shown(built.log).c_str());
        return false;
      }
      const std::vector<GradedTest> graded = read_points(workspace_.root / "tests/points.json", lab.name);
      for (const std::string& target : programs) {
        if (!learn_from(platform, target, graded, target == programs.front() ? kSeeds : kSeedsOfRight)) return false;
      }
    }
    return true;
  }

  bool learn_from(const Platform& platform, const std::string& target, const std::vector<GradedTest>& graded, const std::vector<std::string>& seeds) {
    std::list<TestProgram> programs;
    std::list<TestResult> results;  // stay where they are
    std::vector<TestRun> runs;
    for (const std::string& seed : seeds) {
      programs.push_back({workspace_.program(platform, target), platform});
      if (!seed.empty()) programs.back().platform.env.emplace_back("LAB_SEED", seed);
      for (const GradedTest& test : graded) {
        results.push_back({});
        results.back().name = test.name;
        runs.push_back({&programs.back(), test.seconds, &results.back(), 0});
      }
    }
    progress_.phase(target + " on " + platform.name);
    run_tests(runs, std::min(3 * options_.jobs, platform.most_jobs), progress_);
    progress_.clear();
    for (const TestResult& result : results) {
      if (!result.passed()) {
        if (!interrupted()) std::printf("%s on %s: %s fails, so nothing is learnt: %s\n", target.c_str(), platform.name.c_str(), result.name.c_str(), result.reason.c_str());
        return false;
      }
      const auto [known, is_new] = learnt_.try_emplace(result.name, result.reached);
      if (!is_new) keep_common(known->second, result.reached);
    }
    return true;
  }

  // Removes tests that no longer exist.
  void forget_others() {
    for (auto test = evidence_.begin(); test != evidence_.end();) test = learnt_.count(test->first) == 0 ? evidence_.erase(test) : std::next(test);
  }

  const Workspace& workspace_;
  const EvidenceOptions& options_;
  const std::filesystem::path file_;
  Places evidence_, learnt_;
  std::vector<Lab> labs_;
  Progress progress_;
};

}  // namespace

int learn_evidence(const Workspace& workspace, const EvidenceOptions& options) {
  workspace.need_solutions("test --evidence");
  return Learner(workspace, options).run();
}

}  // namespace grader
