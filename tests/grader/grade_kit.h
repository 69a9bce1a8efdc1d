// What does not depend on the student, built once; and a student's file compiled and linked with it in the sandbox.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "build.h"
#include "points.h"
#include "runner.h"
#include "sandbox.h"

namespace grader {

// How one lab's programs are made: Ninja's own commands for the reference solution, with the student's file in its place.
struct LabKit {
  Lab lab;
  std::vector<GradedTest> tests;
  std::vector<std::string> compile;                         // without -o and -c
  std::vector<std::filesystem::path> headers;               // all that the compiler may see of the project
  std::vector<std::string> exports;                         // what the lab asks for; all else stays in the student's object
  struct Link {
    std::string program;                                    // "lab03_overlapped_ex_graded_test"
    std::vector<std::string> args;                          // kOwnObject and kOutput stand for theirs
    std::vector<std::filesystem::path> inputs;
  };
  std::vector<Link> links;                                  // the test program, the lab's program, and that which counts
};

struct StudentBuild {
  bool ok = false;
  bool interrupted = false;
  bool grader_error = false;       // the fault is ours
  std::string error;               // what the compiler says, bounded
  std::vector<std::string> notes;  // what somebody should look at
};

class GradeKit {
 public:
  // Throws GraderError when the project itself does not build. `measured`: each file becomes a program that counts, too.
  GradeKit(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured, unsigned jobs, Progress& progress);

  const Platform& platform() const { return platform_; }
  const std::vector<LabKit>& labs() const { return kits_; }
  std::string fingerprint() const;  // another one when the tests or the given code are others

  // Compiles the file once, links it with the rest; the programs lie in `bin`, an empty folder. Several threads may call it.
  StudentBuild build_student(const LabKit& kit, const std::filesystem::path& file, const std::filesystem::path& bin, const Sandbox& sandbox) const;

  // The test program in `bin`. It runs in the sandbox, each test in a box of its own. `sandbox` must outlive it.
  TestProgram program(const LabKit& kit, const std::filesystem::path& bin, const Sandbox& sandbox) const;

 private:
  LabKit make_kit(const Lab& lab, const std::vector<std::string>& ends, const std::string& commands) const;

  const Workspace& workspace_;
  const Platform platform_;
  const std::filesystem::path folder_;
  std::vector<LabKit> kits_;
};

// The words of a command line as a shell would split it; for what CMake writes.
std::vector<std::string> split_command(const std::string& line);

// Why what a file includes is refused; empty: it is not. `rule`: for make, as the compiler wrote it. Where there is no
// sandbox, the reference is within reach of an #include.
std::string check_included(std::string rule, const std::vector<std::filesystem::path>& allowed);

std::string read_all(const std::filesystem::path& file);

}  // namespace grader
