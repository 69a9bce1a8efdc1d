#include "submission_grader.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <list>
#include <set>

#include "child.h"
#include "parallel_for.h"
#include "progress.h"
#include "runner.h"
#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr int kProofs = 3;     // a solution's test may fail on a busy computer, but not each time
// In one lab; then its remaining tests are skipped, because one sleeping program would cost an hour
constexpr int kMostHangs = 8;

// Keeps one timeline per lab, because all of them would make the results of a class too large.
void keep_first_timeline(std::vector<TestResult>& tests) {
  bool kept = false;
  for (TestResult& test : tests) {
    if (kept) test.timeline.clear();
    kept = kept || !test.timeline.empty();
  }
}

// Returns the reason why the lab has not full points, or an empty string if each test has passed now or before. Adds to
// `passed`.
std::string fault_of(const LabResult& lab, std::set<std::string>& passed) {
  if (lab.problem != Problem::none) return " does not build on " + lab.problem_platform + ":\n" + lab.problem_text;
  std::string fault;
  for (const TestResult& test : lab.tests) {
    if (test.passed()) passed.insert(test.name);
    if (passed.count(test.name) != 0 || !fault.empty()) continue;
    fault = " fails " + test.name + " on " + test.platform + ", " + name_of(test.verdict) + ": " + test.reason + "\n" + readable_output(test.output, lab.file);
  }
  return fault;
}

}  // namespace

SubmissionGrader::SubmissionGrader(const Workspace& workspace, const GradingOptions& options, Progress& progress, bool measured)
    : workspace_(workspace), options_(options), progress_(progress), platforms_(chosen_platforms()), labs_(chosen_labs()),
      sandbox_(workspace.root / labs_.front().name / (labs_.front().topic + ".h")), measured_(measured) {
  std::printf("sandbox: %s\n", sandbox_.description().c_str());
  if (sandbox_.kind() != Sandbox::Kind::bubblewrap && !options.without_sandbox) {
    throw UsageError(std::string("this is not safe for untrusted code. ") +
                     (sandbox_.kind() == Sandbox::Kind::job ? "Grade in WSL or on a separate machine" : "Install bubblewrap") + "; or allow it with --without-sandbox");
  }
}

bool SubmissionGrader::prepare() {
  tool_ = fingerprint_ = hash_of(read_all(workspace_.program(workspace_.platforms().front(), "lab_tool")));
  for (const Platform& platform : platforms_) {
    builders_.push_back(
        student_builder_of_this_system(workspace_, platform, labs_, measured_, options_.jobs, progress_));
    if (interrupted()) return false;
    fingerprint_ += builders_.back()->fingerprint();
  }
  std::vector<std::size_t> unproved;
  for (std::size_t i = 0; i < labs_.size(); ++i) {
    if (!fs::exists(proof_of(i))) unproved.push_back(i);
  }
  return unproved.empty() || prove(unproved);
}

// Returns the file that records that the solution of this lab had full points with these programs in this sandbox.
fs::path SubmissionGrader::proof_of(std::size_t lab) const {
  std::string all = tool_ + sandbox_.description() + options_.seed + " " + std::to_string(options_.timeout) + (measured_ ? " measured" : "");
  for (const std::unique_ptr<StudentBuilder>& builder : builders_)
    all += builder->platform().name + builder->fingerprint(builder->labs()[lab]);
  return workspace_.build / "proved" / (labs_[lab].name + "-" + hash_of(all));
}

// Grades the solutions as submissions, so that a set-up error is not counted against the students.
bool SubmissionGrader::prove(const std::vector<std::size_t>& labs) const {
  Collected solutions;
  for (const std::size_t i : labs) {
    const Lab& lab = labs_[i];
    if (!workspace_.has(lab.solution_file()))
      throw GraderError(lab.name + ": the set-up is not proved, and " + lab.solution_file() +
                        " does not exist");
    solutions.files[lab.number] = workspace_.root / lab.solution_file();
  }
  std::set<std::string> passed;
  for (int proof = 1; !solutions.files.empty(); ++proof) {
    const PrivateFolder folder;
    const Grade grade = take({"solutions", workspace_.root / "solutions"}, solutions, folder.path(), "proving the set-up with the solutions");
    progress_.clear();
    if (interrupted()) return false;
    for (const std::size_t i : labs) {
      if (solutions.files.count(labs_[i].number) == 0) continue;
      const std::string fault = fault_of(grade.labs[i], passed);
      if (fault.empty()) {
        fs::create_directories(proof_of(i).parent_path());
        write_whole(proof_of(i), platform() + ", " + sandbox_.description() + "\n");
        solutions.files.erase(labs_[i].number);
      } else if (proof == kProofs || grade.labs[i].problem != Problem::none) {
        throw GraderError("the set-up is broken, so nothing is graded: the solution of " + labs_[i].name + fault);
      }
    }
  }
  return true;
}

std::vector<Platform> SubmissionGrader::chosen_platforms() const {
  const Platform asked = workspace_.platform(options_.platform);
  if (asked.name == "wine") throw UsageError("submissions are graded on linux, asan or tsan: the sandbox does not support Wine");
  if (options_.sanitizers && !options_.platform.empty()) throw UsageError("--sanitizers includes all of their platforms; omit --platform");
  std::vector<Platform> platforms = {asked};
  for (const Platform& other : workspace_.platforms()) {
    if (options_.sanitizers && other.sanitized) platforms.push_back(other);
  }
  for (Platform& platform : platforms) {
    if (!options_.seed.empty()) platform.env.emplace_back("LAB_SEED", options_.seed);
  }
  return platforms;
}

std::vector<Lab> SubmissionGrader::chosen_labs() const {
  if (options_.labs.empty()) return workspace_.labs;
  std::vector<Lab> labs;
  for (const std::string& text : options_.labs) {
    const Lab lab = workspace_.lab(text);
    if (std::none_of(labs.begin(), labs.end(), [&](const Lab& other) { return other.number == lab.number; })) labs.push_back(lab);
  }
  std::sort(labs.begin(), labs.end(), [](const Lab& a, const Lab& b) { return a.number < b.number; });
  return labs;
}

std::string SubmissionGrader::key_of(const Submission& submission, const Collected& collected) const {
  std::string all = submission.name + fingerprint_ + platform() + " " + options_.seed + " " + std::to_string(options_.timeout) + " " +
                    std::to_string(options_.again) + " " + std::to_string(static_cast<int>(sandbox_.kind()));
  for (const std::string& note : collected.notes) all += note;
  for (const Lab& lab : labs_) {
    const auto file = collected.files.find(lab.number);
    all += " " + lab.name + (file == collected.files.end() ? "" : hash_of(read_all(file->second)));
  }
  return hash_of(all);
}

WrapInSandbox SubmissionGrader::wrap() const {
  return [this](const Command& inner, const SandboxSpec& spec) { return sandbox_.wrap(inner, spec); };
}

fs::path SubmissionGrader::bin_of(const fs::path& folder, const Platform& platform, const Lab& lab) const {
  return folder / ("bin-" + platform.name + "-" + lab.name);
}

std::string SubmissionGrader::measure(const Lab& lab, const fs::path& first, const fs::path& second, int rounds) const {
  const Platform& platform = platforms_.front();
  const fs::path versus = workspace_.program(platform, "lab_versus"), one = bin_of(first, platform, lab), other = bin_of(second, platform, lab);
  const PrivateFolder scratch;
  SandboxSpec spec;
  spec.read_only = {versus, one, other};
  spec.scratch = scratch.path();
  spec.limits.seconds = 60 + 30 * rounds;
  const std::string name = lab.name + "_graded_measured";
  Command command;
  command.args = {versus.string(), "--lab", std::to_string(lab.number), "--name", "first", "--against", "second", "--rounds", std::to_string(rounds),
                  "--yours", (one / name).string(), "--reference", (other / name).string()};
  return run(sandbox_.wrap(command, spec)).output;
}

// Compiles everything, then runs all tests, so that every core is busy until the end.
Grade SubmissionGrader::take(const Submission& submission, const Collected& collected, const fs::path& folder, const std::string& where) const {
  Grade grade;
  grade.name = submission.name;
  grade.notes = collected.notes;
  const Clock::time_point start = Clock::now();
  grade.labs.resize(labs_.size());
  std::vector<Program> programs;
  for (const std::unique_ptr<StudentBuilder>& builder : builders_) {
    for (std::size_t i = 0; i < labs_.size(); ++i) {
      LabResult& result = grade.labs[i];
      result.number = labs_[i].number;
      result.name = labs_[i].name;
      result.file = labs_[i].student_file();
      const auto file = collected.files.find(result.number);
      if (file == collected.files.end()) {
        result.problem = Problem::missing;
        result.problem_text = result.file + " was not handed in";
      } else {
        programs.push_back({builder.get(),
                            &labs_[i],
                            &builder->labs()[i].tests,
                            &result,
                            file->second,
                            bin_of(folder, builder->platform(), labs_[i]),
                            {},
                            0});
      }
    }
  }
  compile(programs, where, grade.notes);
  grade.compile_seconds = since(start);
  for (const std::unique_ptr<StudentBuilder>& builder : builders_) test(*builder, programs, where, grade.notes);
  grade.seconds = since(start);
  return grade;
}

void SubmissionGrader::compile(std::vector<Program>& programs, const std::string& where, std::vector<std::string>& notes) const {
  progress_.phase(where + ", compiling");
  std::atomic<std::size_t> done{0};
  parallel_for(programs.size(), options_.jobs, [&](std::size_t i) {
    Program& program = programs[i];
    const Clock::time_point start = Clock::now();
    try {
      fs::create_directories(program.bin);
      program.built = program.builder->build_student(*program.lab, program.file, program.bin, wrap());
    } catch (const std::exception& error) {
      program.built.grader_error = true;
      program.built.error = error.what();
    }
    program.seconds = since(start);
    progress_.detail(std::to_string(++done) + "/" + std::to_string(programs.size()));
  });
  std::set<std::string> noted;  // what another platform has already reported
  for (const Program& program : programs) {
    LabResult& result = *program.result;
    result.seconds += program.seconds;
    for (const std::string& note : program.built.notes) {
      if (noted.insert(result.file + note).second) notes.push_back(result.file + ": " + note);
    }
    if (program.built.ok || result.problem != Problem::none) continue;
    result.problem = program.built.grader_error ? Problem::grader : Problem::build;
    result.problem_text = program.built.error;
    result.problem_platform = program.builder->platform().name;
  }
}

// Runs the tests on this platform that have not failed on an earlier one.
void SubmissionGrader::test(const StudentBuilder& builder, const std::vector<Program>& programs,
                            const std::string& where, std::vector<std::string>& notes) const {
  if (interrupted()) return;
  progress_.phase(where + ", testing" + (builders_.size() > 1 ? " on " + builder.platform().name : ""));
  std::list<TestProgram> tests;       // a list, because addresses must stay valid
  std::list<std::atomic<int>> hangs;  // one per lab
  std::vector<std::pair<TestResult*, std::unique_ptr<TestResult>>> results;  // destination and new result
  std::vector<TestRun> runs;
  std::vector<LabResult*> labs;
  for (const Program& program : programs) {
    LabResult& lab = *program.result;
    if (program.builder != &builder || lab.problem != Problem::none) continue;
    tests.push_back(builder.program(*program.lab, program.bin, wrap()));
    hangs.emplace_back(kMostHangs);
    labs.push_back(&lab);
    if (&builder == builders_.front().get()) {
      for (const GradedTest& test : *program.tests) {
        lab.tests.push_back({});
        lab.tests.back().name = test.name;
        lab.tests.back().points = test.points;
      }
    }
    for (std::size_t i = 0; i < lab.tests.size(); ++i) {
      if (&builder != builders_.front().get() && lab.tests[i].verdict == Verdict::not_run) continue;  // too many hung
      if (!worth_another_platform(lab.tests[i], platforms_.front().name)) continue;
      auto fresh = std::make_unique<TestResult>();
      fresh->name = lab.tests[i].name;
      fresh->points = lab.tests[i].points;
      runs.push_back({&tests.back(), options_.timeout > 0 ? options_.timeout : (*program.tests)[i].seconds, fresh.get(), options_.again, &hangs.back(), &(*program.tests)[i].places});
      results.emplace_back(&lab.tests[i], std::move(fresh));
    }
  }
  run_tests(runs, std::min(options_.jobs, builder.platform().most_jobs), progress_);
  for (auto& [old, fresh] : results) merge_platform(*old, *fresh, platforms_.front().name);
  auto left = hangs.begin();
  for (LabResult* const lab : labs) {
    if (*left++ <= 0) notes.push_back(lab->name + ": " + std::to_string(kMostHangs) + " tests hung; the remaining tests were not run");
    if (&builder != builders_.back().get()) continue;
    keep_first_timeline(lab->tests);
    for (const TestResult& test : lab->tests) lab->seconds += test.seconds;
  }
}

std::map<int, std::string> texts_of(const Collected& collected) {
  std::map<int, std::string> texts;
  for (const auto& entry : collected.files) texts[entry.first] = read_all(entry.second);
  return texts;
}

}  // namespace grader
