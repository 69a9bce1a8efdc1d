// Takes the grade of a submission: `lab grade` does it for a class, `lab compare` for two.
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
  // Throws UsageError where there is no sandbox and nobody allowed to go on. `measured`: for measure().
  SubmissionGrader(const Workspace& workspace, const GradingOptions& options, Progress& progress, bool measured = false);

  // Builds what does not depend on the student and proves that a solution gets full points here; call it first. Returns false
  // if it was interrupted; throws GraderError if the set-up is broken.
  bool prepare();

  const std::vector<Lab>& labs() const { return labs_; }
  const Sandbox& sandbox() const { return sandbox_; }
  std::string platform() const { return options_.sanitizers ? "sanitizers" : platforms_.front().name; }  // as reports say it

  // Everything that a grade depends on.
  std::string key_of(const Submission& submission, const Collected& collected) const;

  // `folder` is empty but for what was collected; the programs lie there until it goes. `where` names the submission to
  // whoever waits. After an interruption the grade is not whole.
  Grade take(const Submission& submission, const Collected& collected, const std::filesystem::path& folder, const std::string& where) const;

  // What lab_versus says of two submissions that were taken, each in its folder: their servers of one lab, side by side.
  // They run in one box, so a hostile one can forge it; nothing depends on it.
  std::string measure(const Lab& lab, const std::filesystem::path& first, const std::filesystem::path& second, int rounds) const;

 private:
  Boxed boxed() const;
  std::filesystem::path bin_of(const std::filesystem::path& folder, const Platform& platform, const Lab& lab) const;

  // One file of a submission, on one platform.
  struct Program {
    const StudentBuilder* kit;
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
  void test(const StudentBuilder& kit, const std::vector<Program>& programs, const std::string& where, std::vector<std::string>& notes) const;

  const Workspace& workspace_;
  const GradingOptions& options_;
  Progress& progress_;
  const std::vector<Platform> platforms_;  // the first one is where a test fails first
  const std::vector<Lab> labs_;
  const Sandbox sandbox_;
  const bool measured_;
  std::vector<std::unique_ptr<StudentBuilder>> kits_;  // one for each platform
  std::string tool_;  // the hash of this program
  std::string fingerprint_;
};

// The texts of the files that were collected, by the lab's number.
std::map<int, std::string> texts_of(const Collected& collected);

}  // namespace grader
