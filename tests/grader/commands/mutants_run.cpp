// `lab test --mutants` and the stage `mutants`: chooses programs of tests/mutants, builds and runs them, and writes a
// record.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <random>

#include "build.h"
#include "child.h"
#include "console.h"
#include "mutant_matrix.h"
#include "mutants.h"
#include "proof_inputs.h"
#include "proof_record.h"
#include "runner.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr double kOtherLimit = 10;    // seconds for a test that is not named
constexpr int kOtherHangs = 2;        // after this many, the other tests of the program are skipped
constexpr unsigned kWrongPerJob = 4;  // most runs of a wrong program wait for an event that does not occur
constexpr unsigned kRightPerJob = 2;  // its tests run one after another, and wait half of the time
constexpr std::size_t kSampleWrong = 4, kSampleRight = 1;  // per lab

TestResult fresh(const GradedTest& test) {
  TestResult result;
  result.name = test.name;
  result.points = test.points;
  return result;
}

// One program of tests/mutants and its runs.
struct ProgramRuns {
  const MatrixLab* lab = nullptr;
  const WrongProgram* wrong = nullptr;  // one of these two is set
  const RightProgram* right = nullptr;
  std::string inputs;               // empty: not needed
  const Proof* recorded = nullptr;  // set if it covers these inputs
  bool chosen = false;
  std::string not_built;                         // reason why it could not be built
  std::vector<std::vector<TestResult>> rounds;   // wrong: the named tests, once for each round; right: all, once for each platform
  std::vector<TestResult> others;                // wrong: the tests that are not named, natively
  std::atomic<int> hangs_left{kOtherHangs};

  const std::string& name() const { return wrong != nullptr ? wrong->name : right->name; }
  std::string key() const { return lab->name + "/" + name(); }
};

class MutantRunner {
 public:
  MutantRunner(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log)
      : workspace_(workspace), options_(options), stage_(stage), progress_(progress), log_(log), random_(options.seed),
        record_(ProofRecord::read(folder() / "RECORD.txt")) {
    for (const Platform& platform : workspace.platforms()) {
      if (platform.name == "linux" || platform.sanitized) platforms_.push_back(platform);
    }
  }

  void run() {
    read_manifests();
    if (keeps_record()) compare_with_record();
    if (!interrupted()) choose();
    if (!interrupted()) build_chosen();
    if (!interrupted()) run_chosen();
    for (ProgramRuns& program : programs_) {
      if (program.chosen) judge(program);
    }
    if (keeps_record()) write_record();
  }

 private:
  using Which = MutantOptions::Which;

  fs::path folder() const { return workspace_.root / "tests/mutants"; }
  bool keeps_record() const { return options_.which != Which::sample; }

  // ---- reading the programs -----------------------------------------------------------------------------------------

  void read_manifests() {
    for (const Lab& lab : workspace_.labs) {
      if (!options_.lab.empty() && workspace_.lab(options_.lab).name != lab.name) continue;
      try {
        MatrixLab one{lab.name, read_points(workspace_.root / "tests/points.json", lab.name), read_mutants(folder() / lab.name)};
        const std::string complaints = check_mutants(one.mutants, folder() / lab.name, one.graded);
        if (!complaints.empty()) stage_.fail(lab.name + ": its mutants.json is not right", complaints);
        labs_.push_back(std::move(one));
        add_programs(labs_.back());
      } catch (const GraderError& error) {
        stage_.fail(lab.name, error.what());
      }
    }
  }

  // Skips programs without a file, which are reported already.
  void add_programs(const MatrixLab& lab) {
    const auto add = [&](const WrongProgram* wrong, const RightProgram* right) {
      programs_.emplace_back();
      programs_.back().lab = &lab;
      programs_.back().wrong = wrong;
      programs_.back().right = right;
      if (!fs::exists(folder() / (programs_.back().key() + ".cpp"))) programs_.pop_back();
    };
    for (const WrongProgram& program : lab.mutants.wrong) add(&program, nullptr);
    for (const RightProgram& program : lab.mutants.right) add(nullptr, &program);
  }

  const Lab& lab_of(const ProgramRuns& program) const { return workspace_.lab(program.lab->name); }

  void compare_with_record() {
    for (const auto& [program, complaint] : record_.complaints()) stage_.fail(program + " in RECORD.txt", complaint);
    const Clock::time_point start = Clock::now();
    std::vector<Lab> labs;
    for (const MatrixLab& lab : labs_) labs.push_back(workspace_.lab(lab.name));
    const ProofInputs inputs(workspace_, labs, platforms_, options_.jobs, progress_);
    stage_.build_seconds += since(start);
    if (interrupted()) return;
    for (ProgramRuns& program : programs_) {
      const Lab& lab = lab_of(program);
      program.inputs = program.wrong != nullptr ? inputs.of(*program.wrong, lab, program.lab->graded)
                                                : inputs.of(*program.right, lab, program.lab->graded);
      if (record_.covers(program.key(), program.inputs, options_.runs)) program.recorded = record_.find(program.key());
    }
  }

  // ---- choosing and running -----------------------------------------------------------------------------------------

  void choose() {
    if (options_.which == Which::sample) {
      choose_sample();
    } else if (options_.which == Which::unproved) {
      choose_unproved();
    } else {
      for (ProgramRuns& program : programs_) program.chosen = true;
    }
    for (ProgramRuns& program : programs_) {
      if (program.chosen) prepare(program);
    }
  }

  void choose_sample() {
    std::map<std::pair<std::string, bool>, std::vector<ProgramRuns*>> kinds;
    for (ProgramRuns& program : programs_) kinds[{program.lab->name, program.right != nullptr}].push_back(&program);
    std::size_t count = 0;
    for (auto& [kind, programs] : kinds) {
      std::shuffle(programs.begin(), programs.end(), random_);
      programs.resize(std::min(programs.size(), kind.second ? kSampleRight : kSampleWrong));
      for (ProgramRuns* const program : programs) program->chosen = true;
      count += programs.size();
    }
    stage_.notes = std::to_string(count) + " programs, chosen by --seed " + std::to_string(options_.seed);
    stage_.left_out = std::to_string(programs_.size() - count) + " of " + std::to_string(programs_.size()) + " programs of tests/mutants";
  }

  void choose_unproved() {
    std::vector<std::string> recorded;
    for (ProgramRuns& program : programs_) {
      program.chosen = program.recorded == nullptr;
      if (!program.chosen) recorded.push_back(program.key());
    }
    const std::vector<std::string> again = some_to_prove_again(recorded, random_);
    for (ProgramRuns& program : programs_) {
      if (std::find(again.begin(), again.end(), program.key()) != again.end()) program.chosen = true;
    }
    stage_.notes = std::to_string(programs_.size() - recorded.size()) + " not in the record, " + std::to_string(again.size()) + " of " +
                   std::to_string(recorded.size()) + " recorded ones again, chosen by --seed " + std::to_string(options_.seed);
  }

  // Allocates the results.
  void prepare(ProgramRuns& program) const {
    std::vector<TestResult> named, others;
    for (const GradedTest& test : program.lab->graded) {
      const bool is_named = program.right != nullptr ||
                            std::find(program.wrong->tests.begin(), program.wrong->tests.end(), test.name) != program.wrong->tests.end();
      (is_named ? named : others).push_back(fresh(test));
    }
    const bool once = program.recorded != nullptr || program.right != nullptr;
    program.rounds.assign(program.right != nullptr ? platforms_.size() : once ? 1 : options_.runs, named);
    if (options_.others && !once) program.others = others;
  }

  const Platform& platform_called(const std::string& name) const {
    const auto found = std::find_if(platforms_.begin(), platforms_.end(), [&](const Platform& one) { return one.name == name; });
    if (found == platforms_.end()) throw GraderError("there is no platform " + name + " here");
    return *found;
  }

  bool runs_on(const ProgramRuns& program, const Platform& platform) const {
    return program.right != nullptr || program.wrong->platform == platform.name || (!program.others.empty() && !platform.sanitized);
  }

  static bool needs_program(const ProgramRuns& program) {
    const auto starts = [](const TestResult& test) { return starts_the_program(test.name); };
    return std::any_of(program.rounds.front().begin(), program.rounds.front().end(), starts) ||
           std::any_of(program.others.begin(), program.others.end(), starts);
  }

  static std::string target(const ProgramRuns& program) { return program.lab->name + "_mutant_" + program.name(); }

  void build_chosen() {
    const Clock::time_point start = Clock::now();
    for (const Platform& platform : platforms_) {
      std::vector<std::string> targets;
      std::vector<ProgramRuns*> owners;
      for (ProgramRuns& program : programs_) {
        if (!program.chosen || !runs_on(program, platform)) continue;
        targets.push_back(target(program) + "_test");
        owners.push_back(&program);
        if (!needs_program(program)) continue;
        targets.push_back(target(program));
        owners.push_back(&program);
      }
      const std::vector<BuildResult> built = build_each(workspace_, build_folder(workspace_, platform), targets, options_.jobs, progress_);
      for (std::size_t i = 0; i < built.size(); ++i) {
        if (!built[i].ok) owners[i]->not_built = built[i].error + "Complete log: " + workspace_.shown(built[i].log);
      }
      if (interrupted()) break;
    }
    stage_.build_seconds += since(start);
  }

  const TestProgram* tested(const Platform& platform, const ProgramRuns& program) {
    tested_.push_back({workspace_.program(platform, target(program) + "_test"), platform});
    return &tested_.back();
  }

  void run_chosen() {
    std::vector<TestRun> wrong_runs, right_runs;
    for (ProgramRuns& program : programs_) {
      if (!program.chosen || !program.not_built.empty()) continue;
      const auto graded = [&](const TestResult& result) -> const GradedTest& {
        const auto same = [&](const GradedTest& test) { return test.name == result.name; };
        return *std::find_if(program.lab->graded.begin(), program.lab->graded.end(), same);
      };
      for (std::size_t i = 0; i < program.rounds.size(); ++i) {
        const bool right = program.right != nullptr;
        const TestProgram* const test_program = tested(right ? platforms_[i] : platform_called(program.wrong->platform), program);
        for (TestResult& result : program.rounds[i]) {
          const GradedTest& test = graded(result);
          (right ? right_runs : wrong_runs).push_back({test_program, test.seconds, &result, 0, nullptr, &test.places});
        }
      }
      if (program.others.empty()) continue;  // they decide nothing; they only run to be counted
      const TestProgram* const native = tested(platforms_.front(), program);
      for (TestResult& result : program.others) wrong_runs.push_back({native, kOtherLimit, &result, 0, &program.hangs_left, &graded(result).places});
    }
    const Clock::time_point start = Clock::now();
    progress_.phase("mutants: testing the wrong programs");
    run_tests(wrong_runs, options_.jobs * kWrongPerJob, progress_);
    progress_.phase("mutants: testing the right programs");
    run_together(right_runs, options_.jobs * kRightPerJob, progress_);
    stage_.test_seconds += since(start);
  }

  // ---- judging ------------------------------------------------------------------------------------------------------

  void judge(ProgramRuns& program) {
    for (const auto& round : program.rounds) {
      for (const TestResult& result : round) note(program, result);
    }
    for (const TestResult& result : program.others) note(program, result);
    std::optional<Proof> proof;
    if (!program.not_built.empty()) {
      if (!interrupted()) fail(program, "does not build: " + program.not_built, nullptr);
    } else {
      proof = program.wrong != nullptr ? judge_kill(program) : judge_scores(program);
    }
    stage_.passed += proof ? 1 : 0;
    if (!keeps_record() || interrupted_before_its_end(program)) return;
    if (!proof) {
      record_.erase(program.key());
    } else if (program.recorded == nullptr || program.recorded->rounds < proof->rounds) {
      proof->inputs = program.inputs;
      proved_.emplace_back(program.key(), *proof);
    }
  }

  static bool interrupted_before_its_end(const ProgramRuns& program) {
    for (const auto& round : program.rounds) {
      for (const TestResult& result : round) {
        if (result.verdict == Verdict::not_run && program.not_built.empty()) return true;
      }
    }
    return !program.not_built.empty() && interrupted();
  }

  // Returns the proof, or nullopt.
  std::optional<Proof> judge_kill(const ProgramRuns& program) {
    const Kill kill = judge_wrong(*program.wrong, program.rounds);
    if (kill.how == Kill::How::not_run) return std::nullopt;
    if (kill.how != Kill::How::killed) {
      fail(program, (kill.how == Kill::How::survives ? "survives: " : "fails for the wrong reason: ") + kill.why,
           kill.shown);
      return std::nullopt;
    }
    Proof proof;
    proof.rounds = static_cast<unsigned>(kill.rounds);
    proof.others = others_of(program);
    return kill.rounds == program.rounds.size() ? std::optional(proof) : std::nullopt;
  }

  std::optional<Proof> judge_scores(const ProgramRuns& program) {
    Proof proof;
    proof.rounds = 1;
    bool full = true;
    for (std::size_t i = 0; i < platforms_.size(); ++i) {
      int sum = 0;
      for (const TestResult& result : program.rounds[i]) {
        sum += result.earned();
        full = full && result.passed();
        if (result.passed() || result.verdict == Verdict::not_run) continue;
        fail(program, "loses points on " + result.platform + ": " + result.name + " " + result.reason, &result);
      }
      proof.scores.emplace_back(platforms_[i].name, sum);
    }
    return full ? std::optional(proof) : std::nullopt;
  }

  static std::string others_of(const ProgramRuns& program) {
    if (program.others.empty()) return "";
    const auto count = [&](auto&& is) { return std::count_if(program.others.begin(), program.others.end(), is); };
    const auto failed = count([](const TestResult& one) { return !one.passed() && one.verdict != Verdict::not_run; });
    const auto not_run = count([](const TestResult& one) { return one.verdict == Verdict::not_run; });
    return std::to_string(failed) + (not_run == 0 ? "" : ", - " + std::to_string(not_run));
  }

  void note(const ProgramRuns& program, const TestResult& result) {
    log_ << program.key() << " " << result.name << ": " << name_of(result.verdict) << " on " << result.platform
         << (result.rule.empty() ? "" : ", rule " + result.rule) << ", " << in_seconds(result.seconds) << " " << result.reason << "\n";
  }

  void fail(const ProgramRuns& program, std::string why, const TestResult* shown) {
    if (program.recorded != nullptr) why = "RECORD.txt says it is proved, but it " + why;
    stage_.fail(program.key(), why + "\n" + (shown != nullptr ? shown->output : ""), Verdict::wrong);
    stage_.failures.back().reason = why;
  }

  void write_record() {
    for (auto& [program, proof] : proved_) record_.set(program, std::move(proof));
    for (const MatrixLab& lab : labs_) {
      std::vector<std::string> there;
      for (const ProgramRuns& program : programs_) {
        if (program.lab == &lab) there.push_back(program.key());
      }
      record_.keep_only(lab.name, there);
    }
    std::ofstream(folder() / "RECORD.txt", std::ios::binary) << record_.text();
    std::vector<MatrixLab> all;
    for (const Lab& lab : workspace_.labs) {
      all.push_back({lab.name, read_points(workspace_.root / "tests/points.json", lab.name), read_mutants(folder() / lab.name)});
    }
    std::vector<std::string> names;
    for (const Platform& platform : platforms_) names.push_back(platform.name);
    std::ofstream(folder() / "MATRIX.md", std::ios::binary) << matrix_of(all, names, record_);
  }

  const Workspace& workspace_;
  const MutantOptions& options_;
  StageResult& stage_;
  Progress& progress_;
  std::ostream& log_;
  std::mt19937_64 random_;
  ProofRecord record_;
  std::vector<Platform> platforms_;  // native, asan, tsan
  std::deque<MatrixLab> labs_;       // programs point to them
  std::deque<ProgramRuns> programs_;
  std::deque<TestProgram> tested_;  // runs point to them
  std::vector<std::pair<std::string, Proof>> proved_;
};

}  // namespace

void test_mutants(const Workspace& workspace, const MutantOptions& options, StageResult& stage, Progress& progress, std::ostream& log) {
  MutantRunner(workspace, options, stage, progress, log).run();
}

}  // namespace grader
