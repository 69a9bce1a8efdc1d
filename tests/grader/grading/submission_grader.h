// Grades a submission: `lab grade` does it for a class, `lab compare` for two.
#pragma once

#include <map>
#include <memory>

#include "grading_options.h"
#include "student_build.h"
#include "results.h"
#include "submission.h"

namespace grader {

class SubmissionGrader {
 public:
  // Throws UsageError if no sandbox is available and --without-sandbox was not given. `measured`: needed for measure().
  SubmissionGrader(const Workspace& workspace, const GradingOptions& options, Progress& progress, bool measured = false);

  // Builds what does not depend on the student and proves that a solution gets full points here. Call it first. Returns
  // false if it was interrupted. Throws GraderError if the set-up is broken.
  bool prepare();

  const std::vector<Lab>& labs() const { return labs_; }
  const Sandbox& sandbox() const { return sandbox_; }
  // The name in reports
  std::string platform() const { return options_.sanitizers ? "sanitizers" : platforms_.front().name; }

  // Returns a hash of everything that the grade depends on.
  std::string key_of(const Submission& submission, const Collected& collected) const;

  // Grades a submission. `folder` contains only the collected files; the programs are stored there until it is deleted.
  // `where` names the submission in the progress line. After an interruption the grade is incomplete.
  Grade take(const Submission& submission, const Collected& collected, const std::filesystem::path& folder, const std::string& where) const;

  // Returns the output of lab_versus for two graded submissions, each in its folder: their servers of one lab, measured
  // in the same run. They share one sandbox, so a hostile one can forge the output; no grade depends on it.
  std::string measure(const Lab& lab, const std::filesystem::path& first, const std::filesystem::path& second, int rounds) const;

 private:
  WrapInSandbox wrap() const;
  std::filesystem::path bin_of(const std::filesystem::path& folder, const Platform& platform, const Lab& lab) const;

  // One file of a submission, on one platform.
  struct Program {
    const StudentBuilder* builder;
    const Lab* lab;
    const std::vector<GradedTest>* tests;
    LabResult* result;
    std::filesystem::path file, bin;
    StudentBuild built;
    double seconds = 0;
  };

  std::vector<Platform> chosen_platforms() const;
  std::vector<Lab> chosen_labs() const;
  std::filesystem::path proof_of(std::size_t lab) const;
  bool prove(const std::vector<std::size_t>& labs) const;
  void compile(std::vector<Program>& programs, const std::string& where, std::vector<std::string>& notes) const;
  void test(const StudentBuilder& builder, const std::vector<Program>& programs, const std::string& where,
            std::vector<std::string>& notes) const;

  const Workspace& workspace_;
  const GradingOptions& options_;
  Progress& progress_;
  const std::vector<Platform> platforms_;  // results of the first platform count first
  const std::vector<Lab> labs_;
  const Sandbox sandbox_;
  const bool measured_;
  std::vector<std::unique_ptr<StudentBuilder>> builders_;  // one per platform
  std::string tool_;  // the hash of this program
  std::string fingerprint_;
};

// Returns the texts of the collected files, by lab number.
std::map<int, std::string> texts_of(const Collected& collected);

}  // namespace grader
