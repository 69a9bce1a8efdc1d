// `lab grade`: submissions in, points out. One submission at a time, so that a bad one slows down only itself.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <list>
#include <memory>
#include <set>
#include <thread>

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

std::string shown_time(double seconds) {
  const long whole = static_cast<long>(seconds + 0.5);
  return whole >= 60 ? std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s" : std::to_string(whole) + " s";
}

std::string bar(std::size_t done, std::size_t all) {
  constexpr std::size_t kWidth = 16;
  const std::size_t filled = done * kWidth / all;
  return "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "]";
}

// Calls work(0) ... work(count - 1), `jobs` at once, until the user interrupts.
void at_once(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, jobs); ++i) {
    workers.emplace_back([&] {
      for (std::size_t one = next++; one < count && !interrupted(); one = next++) work(one);
    });
  }
  for (std::thread& worker : workers) worker.join();
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
  Grader(const Workspace& workspace, const GradeOptions& options) : workspace_(workspace), options_(options), platforms_(chosen_platforms()) {
    if (!options.seed.empty()) {
      for (Platform& platform : platforms_) platform.env.emplace_back("LAB_SEED", options.seed);
    }
    labs_ = chosen_labs();
    submissions_ = find_submissions(options.paths, workspace.labs);
    folder_ = options.out.empty() ? workspace.build / "grades" : fs::absolute(options.out);
    std::error_code error;
    fs::create_directories(folder_ / "submissions", error);
    if (error) throw UsageError("--out: " + folder_.string() + " cannot be made: " + error.message());
    report_.platform = options.sanitizers ? "sanitizers" : platforms_.front().name;
    report_.seed = options.seed;
    report_.sandbox = sandbox_.description();
    for (const Lab& lab : labs_) report_.labs.push_back(lab.name);
  }

  int run() {
    std::printf("sandbox: %s\n", report_.sandbox.c_str());
    if (sandbox_.kind() != Sandbox::Kind::bubblewrap && !options_.without_sandbox) {
      throw UsageError("this is not safe for strangers' code. Install bubblewrap, or allow it with --without-sandbox");
    }
    std::string fingerprint = hash_of(read_all("/proc/self/exe"));
    for (const Platform& platform : platforms_) {
      kits_.push_back(std::make_unique<GradeKit>(workspace_, platform, labs_, options_.jobs, progress_));
      if (interrupted()) return kExitInterrupted;
      fingerprint += kits_.back()->fingerprint();
    }
    std::vector<std::optional<Grade>> grades(submissions_.size());
    const Clock::time_point start = Clock::now();
    std::size_t graded = 0, kept = 0;
    double seconds = 0, compile_seconds = 0;
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
        where_ = bar(i, submissions_.size()) + " " + std::to_string(i + 1) + "/" + std::to_string(submissions_.size());
        if (graded > 0) where_ += " " + shown_time(since(start) / static_cast<double>(graded) * static_cast<double>(submissions_.size() - i)) + " left";
        where_ += " " + plain_line(submissions_[i].name, 24);
        Grade grade = take(submissions_[i], collected, folder.path());
        grade.key = key;
        if (interrupted()) break;
        write_whole(file, to_json(grade));
        ++graded;
        seconds += grade.seconds;
        compile_seconds += grade.compile_seconds;
        grades[i] = std::move(grade);
      }
      if (graded % 20 == 1) write_reports(grades);
    }
    progress_.clear();
    write_reports(grades);
    print_class(report_);
    if (graded > 0) {
      std::printf("%zu graded in %s: %.1f s each, %.0f%% of it compiling\n", graded, shown_time(seconds).c_str(),
                  seconds / static_cast<double>(graded), 100 * compile_seconds / seconds);
    }
    if (kept > 0) std::printf("%zu of them were graded before; --fresh grades them again\n", kept);
    std::printf("results: %s (results.json, results.csv, results.xml)\n", workspace_.shown(folder_).c_str());
    if (interrupted()) std::printf("interrupted: the same command goes on from here\n");
    return exit_code();
  }

 private:
  // One file of a submission, on one platform.
  struct Program {
    const GradeKit* kit;
    const LabKit* lab;
    LabResult* result;
    fs::path file, bin;
    StudentBuild built;
    double seconds = 0;
  };

  std::vector<Platform> chosen_platforms() const {
    const Platform asked = workspace_.platform(options_.platform);
    if (asked.name == "wine") throw UsageError("grade runs on linux, asan or tsan: the sandbox does not hold Wine");
    std::vector<Platform> platforms = {asked};
    if (!options_.sanitizers) return platforms;
    if (!options_.platform.empty()) throw UsageError("--sanitizers is for all of their platforms; leave out --platform");
    for (const Platform& other : workspace_.platforms()) {
      if (other.sanitized) platforms.push_back(other);
    }
    return platforms;
  }

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
    std::string all = fingerprint + report_.platform + " " + options_.seed + " " + std::to_string(options_.timeout) + " " + std::to_string(options_.again) + " " +
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

  // Compiles all of it, then runs all of its tests: so every core has work to the end.
  Grade take(const Submission& submission, const Collected& collected, const fs::path& folder) {
    Grade grade;
    grade.name = submission.name;
    grade.notes = collected.notes;
    const Clock::time_point start = Clock::now();
    grade.labs.resize(labs_.size());
    std::vector<Program> programs;
    for (const std::unique_ptr<GradeKit>& kit : kits_) {
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
          programs.push_back({kit.get(), &kit->labs()[i], &result, file->second, folder / ("bin-" + kit->platform().name + "-" + result.name), {}, 0});
        }
      }
    }
    compile(programs, grade.notes);
    grade.compile_seconds = since(start);
    for (const std::unique_ptr<GradeKit>& kit : kits_) test(*kit, programs, grade.notes);
    grade.seconds = since(start);
    return grade;
  }

  void compile(std::vector<Program>& programs, std::vector<std::string>& notes) {
    progress_.phase(where_ + ", compiling");
    std::atomic<std::size_t> done{0};
    at_once(programs.size(), options_.jobs, [&](std::size_t i) {
      Program& program = programs[i];
      const Clock::time_point start = Clock::now();
      try {
        fs::create_directories(program.bin);
        program.built = program.kit->build_student(*program.lab, program.file, program.bin, sandbox_);
      } catch (const std::exception& error) {
        program.built.grader_error = true;
        program.built.error = error.what();
      }
      program.seconds = since(start);
      progress_.detail(std::to_string(++done) + "/" + std::to_string(programs.size()));
    });
    std::set<std::string> told;  // each platform would say it again
    for (const Program& program : programs) {
      LabResult& result = *program.result;
      result.seconds += program.seconds;
      for (const std::string& note : program.built.notes) {
        if (told.insert(result.file + note).second) notes.push_back(result.file + ": " + note);
      }
      if (program.built.ok || result.problem != Problem::none) continue;
      result.problem = program.built.grader_error ? Problem::grader : Problem::build;
      result.problem_text = program.built.error;
    }
  }

  // Runs on this platform what has not failed on an earlier one.
  void test(const GradeKit& kit, const std::vector<Program>& programs, std::vector<std::string>& notes) {
    if (interrupted()) return;
    progress_.phase(where_ + ", testing" + (kits_.size() > 1 ? " on " + kit.platform().name : ""));
    std::list<TestProgram> tests;                // stay where they are
    std::list<std::atomic<int>> hangs;           // one for each lab
    std::vector<std::pair<TestResult*, std::unique_ptr<TestResult>>> results;  // where it goes, and the new one
    std::vector<TestRun> runs;
    std::vector<LabResult*> labs;
    for (const Program& program : programs) {
      LabResult& lab = *program.result;
      if (program.kit != &kit || lab.problem != Problem::none) continue;
      tests.push_back(kit.program(*program.lab, program.bin, sandbox_));
      hangs.emplace_back(kMostHangs);
      labs.push_back(&lab);
      if (&kit == kits_.front().get()) {
        for (const GradedTest& test : program.lab->tests) {
          lab.tests.push_back({});
          lab.tests.back().name = test.name;
          lab.tests.back().points = test.points;
        }
      }
      for (std::size_t i = 0; i < lab.tests.size(); ++i) {
        if (&kit != kits_.front().get() && lab.tests[i].verdict == Verdict::not_run) continue;  // too many hung
        if (!worth_another_platform(lab.tests[i], platforms_.front().name)) continue;
        auto fresh = std::make_unique<TestResult>();
        fresh->name = lab.tests[i].name;
        fresh->points = lab.tests[i].points;
        runs.push_back({&tests.back(), options_.timeout > 0 ? options_.timeout : program.lab->tests[i].seconds, fresh.get(), options_.again, &hangs.back()});
        results.emplace_back(&lab.tests[i], std::move(fresh));
      }
    }
    run_tests(runs, std::min(options_.jobs, kit.platform().most_jobs), [&](std::size_t done) {
      progress_.detail(std::to_string(done) + "/" + std::to_string(runs.size()));
    });
    for (auto& [old, fresh] : results) merge_platform(*old, *fresh, platforms_.front().name);
    auto left = hangs.begin();
    for (LabResult* const lab : labs) {
      if (*left++ <= 0) notes.push_back(lab->name + ": " + std::to_string(kMostHangs) + " tests hung, the rest was not run");
      if (&kit != kits_.back().get()) continue;
      keep_first_timeline(lab->tests);
      for (const TestResult& test : lab->tests) lab->seconds += test.seconds;
    }
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
        if (lab.problem == Problem::grader) return kExitGraderError;
        if (std::any_of(lab.tests.begin(), lab.tests.end(), [](const TestResult& test) { return test.verdict == Verdict::grader_error; })) return kExitGraderError;
      }
    }
    return kExitFull;
  }

  const Workspace& workspace_;
  const GradeOptions& options_;
  std::vector<Platform> platforms_;  // the first one is where a test fails first
  const Sandbox sandbox_;
  std::vector<std::unique_ptr<GradeKit>> kits_;  // one for each platform
  std::vector<Lab> labs_;
  std::vector<Submission> submissions_;
  fs::path folder_;
  std::string where_;
  Progress progress_;
  ClassReport report_;
};

}  // namespace

int grade(const Workspace& workspace, const GradeOptions& options) {
  workspace.need_solutions("grade");
  return Grader(workspace, options).run();
}

}  // namespace grader
