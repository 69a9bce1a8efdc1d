// `lab grade`: submissions in, points out. One submission at a time, so that a bad one slows down only itself.
#include <algorithm>
#include <cstdio>

#include "child.h"
#include "commands.h"
#include "console.h"
#include "grade_kit.h"
#include "progress.h"
#include "results.h"
#include "runner.h"
#include "sandbox.h"
#include "student_files.h"
#include "submission.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr int kMostHangs = 8;  // in one lab; then the rest of it is not run, or one sleeper costs an hour

std::string left_of(double seconds) {
  const long minutes = static_cast<long>(seconds / 60);
  return minutes > 0 ? std::to_string(minutes) + " min left" : std::to_string(static_cast<long>(seconds)) + " s left";
}

// One of a lab is shown; all of them would make the results of a class endless.
void keep_first_timeline(std::vector<TestResult>& tests) {
  bool kept = false;
  for (TestResult& test : tests) {
    if (kept) test.timeline.clear();
    kept = kept || !test.timeline.empty();
  }
}

class Grader {
 public:
  Grader(const Workspace& workspace, const GradeOptions& options) : workspace_(workspace), options_(options), platform_(workspace.platform(options.platform)) {
    if (platform_.name == "wine" || platform_.name == "windows") throw UsageError("grade runs on linux, asan or tsan: the sandbox does not hold Wine");
    if (!options.seed.empty()) platform_.env.emplace_back("LAB_SEED", options.seed);
    labs_ = chosen_labs();
    submissions_ = find_submissions(options.paths, workspace.labs);
    folder_ = options.out.empty() ? workspace.build / "grades" : fs::absolute(options.out);
    fs::create_directories(folder_ / "submissions");
    report_.platform = platform_.name;
    report_.seed = options.seed;
    report_.sandbox = sandbox_.description();
    for (const Lab& lab : labs_) report_.labs.push_back(lab.name);
  }

  int run() {
    std::printf("sandbox: %s\n", report_.sandbox.c_str());
    if (sandbox_.kind() != Sandbox::Kind::bubblewrap && !options_.without_sandbox) {
      throw UsageError("this is not safe for strangers' code. Install bubblewrap, or allow it with --without-sandbox");
    }
    const GradeKit kit(workspace_, platform_, labs_, options_.jobs, progress_);
    if (interrupted()) return kExitInterrupted;
    const std::string fingerprint = kit.fingerprint();
    std::vector<std::optional<Grade>> grades(submissions_.size());
    const Clock::time_point start = Clock::now();
    std::size_t graded = 0, kept = 0;
    for (std::size_t i = 0; i < submissions_.size() && !interrupted(); ++i) {
      const PrivateFolder folder;
      const Collected collected = collect(submissions_[i], workspace_.labs, sandbox_, folder.path());
      const std::string key = key_of(submissions_[i].name + fingerprint, collected);
      const fs::path file = file_of(submissions_[i]);
      grades[i] = grade_from_json(read_all(file));
      if (grades[i] && grades[i]->key == key && !options_.fresh) {
        ++kept;
      } else {
        grades[i].reset();
        where_ = std::to_string(i + 1) + "/" + std::to_string(submissions_.size()) + " " + plain_line(submissions_[i].name, 40);
        if (graded > 0) where_ += ", " + left_of(since(start) / static_cast<double>(graded) * static_cast<double>(submissions_.size() - i));
        Grade grade = take(submissions_[i], collected, kit, folder.path());
        grade.key = key;
        if (interrupted()) break;
        write_whole(file, to_json(grade));
        ++graded;
        grades[i] = std::move(grade);
      }
      if (graded % 20 == 1) write_reports(grades);
    }
    progress_.clear();
    write_reports(grades);
    print_class(report_);
    if (kept > 0) std::printf("%zu of them were graded before; --fresh grades them again\n", kept);
    std::printf("results: %s (results.json, results.csv, results.xml)\n", workspace_.shown(folder_).c_str());
    if (interrupted()) std::printf("interrupted: the same command goes on from here\n");
    return exit_code();
  }

 private:
  std::vector<Lab> chosen_labs() const {
    if (options_.labs.empty()) return workspace_.labs;
    std::vector<Lab> labs;
    for (const std::string& text : options_.labs) {
      const Lab lab = workspace_.lab(text);
      if (std::none_of(labs.begin(), labs.end(), [&](const Lab& other) { return other.number == lab.number; })) labs.push_back(lab);
    }
    std::sort(labs.begin(), labs.end(), [](const Lab& a, const Lab& b) { return a.number < b.number; });
    return labs;
  }

  // Everything that a grade depends on.
  std::string key_of(const std::string& fingerprint, const Collected& collected) const {
    std::string all = fingerprint + platform_.name + " " + options_.seed + " " + std::to_string(options_.timeout) + " " + std::to_string(options_.again) + " " +
                      std::to_string(static_cast<int>(sandbox_.kind()));
    for (const std::string& note : collected.notes) all += note;
    for (const Lab& lab : labs_) {
      const auto file = collected.files.find(lab.number);
      all += " " + lab.name + (file == collected.files.end() ? "" : hash_of(read_all(file->second)));
    }
    return hash_of(all);
  }

  // A stranger's name is no name for a file of ours.
  fs::path file_of(const Submission& submission) const {
    std::string name;
    for (const char c : submission.name.substr(0, 60)) name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ? c : '_';
    return folder_ / "submissions" / (name + "-" + hash_of(submission.name) + ".json");
  }

  Grade take(const Submission& submission, const Collected& collected, const GradeKit& kit, const fs::path& folder) {
    Grade grade;
    grade.name = submission.name;
    grade.notes = collected.notes;
    const Clock::time_point start = Clock::now();
    for (const LabKit& lab_kit : kit.labs()) {
      if (interrupted()) break;
      const Clock::time_point lab_start = Clock::now();
      LabResult result;
      result.number = lab_kit.lab.number;
      result.name = lab_kit.lab.name;
      result.file = lab_kit.lab.student_file();
      const auto file = collected.files.find(result.number);
      if (file == collected.files.end()) {
        result.problem = Problem::missing;
        result.problem_text = result.file + " was not handed in";
      } else {
        grade_lab(lab_kit, file->second, folder / ("bin-" + result.name), kit, result, grade.notes);
      }
      result.seconds = since(lab_start);
      grade.labs.push_back(std::move(result));
    }
    grade.seconds = since(start);
    return grade;
  }

  void grade_lab(const LabKit& lab_kit, const fs::path& file, const fs::path& bin, const GradeKit& kit, LabResult& result, std::vector<std::string>& notes) {
    progress_.phase("compiling " + where_ + ", " + result.name);
    fs::create_directories(bin);
    const StudentBuild built = kit.build_student(lab_kit, file, bin, sandbox_);
    for (const std::string& note : built.notes) notes.push_back(result.file + ": " + note);
    if (!built.ok) {
      result.problem = Problem::build;
      result.problem_text = built.error;
      return;
    }
    progress_.phase("testing " + where_ + ", " + result.name);
    const TestProgram program = kit.program(lab_kit, bin, sandbox_);
    std::atomic<int> hangs_left{kMostHangs};
    for (const GradedTest& test : lab_kit.tests) {
      result.tests.push_back({});
      result.tests.back().name = test.name;
      result.tests.back().points = test.points;
    }
    std::vector<TestRun> runs;
    for (std::size_t i = 0; i < result.tests.size(); ++i) {
      const double limit = options_.timeout > 0 ? options_.timeout : lab_kit.tests[i].seconds;
      runs.push_back({&program, limit, &result.tests[i], options_.again, &hangs_left});
    }
    run_tests(runs, std::min(options_.jobs, platform_.most_jobs), [&](std::size_t done) {
      progress_.detail(std::to_string(done) + "/" + std::to_string(runs.size()));
    });
    keep_first_timeline(result.tests);
    if (hangs_left <= 0) notes.push_back(result.name + ": " + std::to_string(kMostHangs) + " tests hung, the rest was not run");
  }

  void write_reports(const std::vector<std::optional<Grade>>& grades) {
    report_.grades.clear();
    report_.missing.clear();
    for (std::size_t i = 0; i < grades.size(); ++i) {
      if (grades[i]) report_.grades.push_back(*grades[i]);
      else report_.missing.push_back(submissions_[i].name);
    }
    write_whole(folder_ / "results.json", to_json(report_));
    write_whole(folder_ / "results.csv", to_csv(report_));
    write_whole(folder_ / "results.xml", to_junit(report_));
  }

  // That points are missing is a result, not a failure of `grade`.
  int exit_code() const {
    if (interrupted()) return kExitInterrupted;
    for (const Grade& grade : report_.grades) {
      for (const LabResult& lab : grade.labs) {
        if (std::any_of(lab.tests.begin(), lab.tests.end(), [](const TestResult& test) { return test.verdict == Verdict::grader_error; })) return kExitGraderError;
      }
    }
    return kExitFull;
  }

  const Workspace& workspace_;
  const GradeOptions& options_;
  Platform platform_;
  const Sandbox sandbox_;
  std::vector<Lab> labs_;
  std::vector<Submission> submissions_;
  fs::path folder_;
  std::string where_;
  Progress progress_;
  ClassReport report_;
};

}  // namespace

int grade(const Workspace& workspace, const GradeOptions& options) { return Grader(workspace, options).run(); }

}  // namespace grader
