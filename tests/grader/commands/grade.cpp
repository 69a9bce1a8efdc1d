// `lab grade`: grades submissions, one at a time, so that a bad one slows down only itself.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <set>

#include "similarity.h"
#include "canvas.h"
#include "child.h"
#include "commands.h"
#include "submission_grader.h"
#include "gradescope_json.h"
#include "pages.h"
#include "points.h"
#include "progress.h"
#include "results.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

std::string shown_time(double seconds) {
  const long whole = static_cast<long>(seconds + 0.5);
  return whole >= 60 ? std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s" : std::to_string(whole) + " s";
}

std::string bar(std::size_t done, std::size_t all) {
  constexpr std::size_t kWidth = 16;
  const std::size_t filled = done * kWidth / all;
  return "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "]";
}

class Grader {
 public:
  Grader(const Workspace& workspace, const GradeOptions& options) : workspace_(workspace), options_(options) {
    if (options.gradescope.empty()) {
      std::vector<std::string> left_out;
      submissions_ = find_submissions(options.paths, workspace.labs, &left_out);
      for (const std::string& name : left_out)
        std::printf("not a submission: %s is not a folder, .zip or .tar.gz\n", plain_line(name).c_str());
    } else {
      if (options.paths.size() != 1 || !fs::is_directory(options.paths[0])) throw UsageError("--gradescope takes one folder, a submission");
      submissions_ = {{"submission", fs::absolute(options.paths[0])}};  // even if it contains nothing usable
    }
    // Read before hours of grading
    if (!options.canvas.empty()) gradebook_.emplace(read_gradebook(read_all(options.canvas)));
    if (!options.gradescope.empty()) need_writable(options.gradescope);
    folder_ = options.out.empty() ? workspace.build / "grades" : fs::absolute(options.out);
    for (const std::string inner : {"submissions", "students"}) {
      std::error_code error;
      fs::create_directories(folder_ / inner, error);
      if (error) throw UsageError("--out: " + folder_.string() + " cannot be created: " + error.message());
    }
  }

  int run() {
    SubmissionGrader grader(workspace_, options_, progress_);
    if (!grader.prepare()) return kExitInterrupted;
    report_.platform = grader.platform();
    report_.seed = options_.seed;
    report_.sandbox = grader.sandbox().description();
    for (const Lab& lab : grader.labs()) {
      report_.labs.push_back(lab.name);
      solutions_[lab.number] = read_all(workspace_.root / lab.solution_file());
      similarity_.add_given(lab.number, read_all(workspace_.root / lab.student_file()));
    }
    grades_.resize(submissions_.size());
    const Clock::time_point start = Clock::now();
    std::size_t graded = 0, kept = 0;
    double seconds = 0, compile_seconds = 0;
    for (std::size_t i = 0; i < submissions_.size() && !interrupted(); ++i) {
      const PrivateFolder folder;
      const Collected collected = collect(submissions_[i], workspace_.labs, grader.sandbox(), folder.path());
      const std::string key = grader.key_of(submissions_[i], collected);
      const fs::path file = folder_ / "submissions" / (file_stem(submissions_[i].name) + ".json");
      std::optional<Grade> grade = grade_from_json(read_all(file));
      if (grade && grade->key == key && !options_.fresh) {
        ++kept;
      } else {
        std::string where = bar(i, submissions_.size()) + " " + std::to_string(i + 1) + "/" + std::to_string(submissions_.size());
        if (graded > 0) where += " " + shown_time(since(start) / static_cast<double>(graded) * static_cast<double>(submissions_.size() - i)) + " left";
        where += " " + plain_line(submissions_[i].name, 24);
        grade = grader.take(submissions_[i], collected, folder.path(), where);
        grade->key = key;
        if (interrupted()) break;
        write_whole(file, to_json(*grade));
        ++graded;
        seconds += grade->seconds;
        compile_seconds += grade->compile_seconds;
      }
      add(i, std::move(*grade), texts_of(collected));
      if ((graded + kept) % 20 == 1) write_reports();
    }
    progress_.clear();
    write_reports();
    print_class(report_);
    if (gradebook_) fill_gradebook();
    if (graded > 0) {
      std::printf("%zu graded in %s: %.1f s each, %.0f%% of it compiling\n", graded, shown_time(seconds).c_str(),
                  seconds / static_cast<double>(graded), 100 * compile_seconds / seconds);
    }
    if (kept > 0) std::printf("%zu of them had already been graded; --fresh grades them again\n", kept);
    std::printf("results: %s (index.html, results.json, results.csv, results.xml)\n", workspace_.shown(folder_).c_str());
    if (interrupted()) std::printf("interrupted: run the same command again to continue\n");
    const int code = exit_code();
    if (code == kExitFull && !options_.gradescope.empty()) write_whole(options_.gradescope, to_gradescope(report_.grades.at(0), workspace_.root, hidden_tests()));
    return code;
  }

 private:
  std::set<std::string> hidden_tests() const {
    std::set<std::string> names;
    for (const std::string& lab : report_.labs) {
      for (const GradedTest& test : read_points(workspace_.root / "tests/points.json", lab)) {
        if (test.hidden) names.insert(test.name);
      }
    }
    return names;
  }

  void add(std::size_t i, Grade grade, const std::map<int, std::string>& files) {
    for (const auto& file : files) {
      if (solutions_.count(file.first) != 0) similarity_.add(i, file.first, file.second);
    }
    const StudentPage page{report_, grade, workspace_.root, files, options_.show_solutions ? solutions_ : std::map<int, std::string>{}};
    write_whole(folder_ / "students" / (file_stem(grade.name) + ".html"), html_of(page));
    grades_[i] = std::move(grade);
  }

  void write_reports() {
    report_.grades.clear();
    report_.missing.clear();
    report_.similar.clear();
    for (std::size_t i = 0; i < grades_.size(); ++i) {
      if (grades_[i]) report_.grades.push_back(*grades_[i]);
      else report_.missing.push_back(submissions_[i].name);
    }
    for (const SimilarPair& pair : similarity_.pairs()) {
      report_.similar.push_back({submissions_[pair.first].name, submissions_[pair.second].name,
                                 workspace_.lab(std::to_string(pair.lab)).name, pair.share});
    }
    write_whole(folder_ / "results.json", to_json(report_));
    write_whole(folder_ / "results.csv", to_csv(report_));
    write_whole(folder_ / "results.xml", to_junit(report_));
    write_whole(folder_ / "index.html", html_of(report_));
  }

  void fill_gradebook() const {
    const FilledGradebook filled = fill(*gradebook_, report_);
    write_whole(folder_ / "canvas.csv", filled.csv);
    for (const std::string& note : filled.notes) std::printf("canvas: %s\n", plain_line(note).c_str());
    std::printf("canvas: filled %zu cells in %s\n", filled.cells, workspace_.shown(folder_ / "canvas.csv").c_str());
  }

  // Missing points are a result, not a failure of `grade`.
  int exit_code() const {
    if (interrupted()) return kExitInterrupted;
    for (const Grade& grade : report_.grades) {
      for (const LabResult& lab : grade.labs) {
        if (lab.problem == Problem::grader) return kExitGraderError;
        if (std::any_of(lab.tests.begin(), lab.tests.end(), [](const TestResult& test) { return test.verdict == Verdict::grader_error; })) return kExitGraderError;
      }
    }
    return kExitFull;
  }

  const Workspace& workspace_;
  const GradeOptions& options_;
  std::vector<Submission> submissions_;
  std::vector<std::optional<Grade>> grades_;
  std::map<int, std::string> solutions_;
  std::optional<Gradebook> gradebook_;
  SimilaritySearch similarity_;
  fs::path folder_;
  Progress progress_;
  ClassReport report_;
};

}  // namespace

int grade(const Workspace& workspace, const GradeOptions& options) {
  workspace.need_solutions("grade");
  return Grader(workspace, options).run();
}

}  // namespace grader
