// What does not depend on the student, built once; and a student's file compiled and linked with it in a box. Two ways to
// do it: student_build_ninja.cpp and student_build_cmake.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "build.h"
#include "points.h"
#include "runner.h"
#include "sandbox.h"

namespace grader {

// What of a lab does not depend on the student.
struct LabKit {
  Lab lab;
  std::vector<GradedTest> tests;
};

struct StudentBuild {
  bool ok = false;
  bool interrupted = false;
  bool grader_error = false;       // the fault is ours
  std::string error;               // what the compiler says, bounded
  std::vector<std::string> notes;  // what somebody should look at
};

// Makes the command that runs `inner` in a box; in earnest Sandbox::wrap.
using Boxed = std::function<Command(const Command& inner, const Box& box)>;

class StudentBuilder {
 public:
  virtual ~StudentBuilder() = default;
  StudentBuilder(const StudentBuilder&) = delete;
  StudentBuilder& operator=(const StudentBuilder&) = delete;

  const Platform& platform() const { return platform_; }
  const std::vector<LabKit>& labs() const { return labs_; }
  std::string fingerprint() const;  // of all labs
  virtual std::string fingerprint(const LabKit& kit) const = 0;  // differs if the tests, the given code or the commands do

  // Compiles the file, links it with the rest; the programs lie in `bin`, an empty folder. Several threads may call it.
  virtual StudentBuild build_student(const Lab& lab, const std::filesystem::path& file, const std::filesystem::path& bin, const Boxed& boxed) const = 0;

  // The test program in `bin`. Each of its tests runs in a box of its own.
  TestProgram program(const Lab& lab, const std::filesystem::path& bin, const Boxed& boxed) const;

 protected:
  StudentBuilder(const Workspace& workspace, const Platform& platform) : workspace_(workspace), platform_(platform) {}

  // Adds a lab whose solution's tests were built, here or long ago. Throws GraderError when the manifest does not fit them.
  void add(const Lab& lab, const std::filesystem::path& solution_test);
  static std::string fingerprint_of(const std::vector<GradedTest>& tests);
  // The compiler's answer without our folders, bounded.
  std::string shown_error(const Ended& ended, const std::filesystem::path& folder) const;

  const Workspace& workspace_;
  const Platform platform_;
  std::vector<std::filesystem::path> system_;  // Box::system of each step and test

 private:
  std::vector<LabKit> labs_;
};

constexpr std::uint64_t kMegabyte = 1 << 20;
Limits compile_limits(const Platform& platform);

// Both throw GraderError when the project itself does not build.

// The one for this system: on Linux that of student_build_ninja.cpp, on Windows cmake_student_builder(). `measured`: each file becomes a program that
// counts, too (Linux only).
std::unique_ptr<StudentBuilder> student_builder_of_this_system(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured,
                                             unsigned jobs, Progress& progress);
// For build tools that nobody can look into, as Visual Studio's: a build folder of its own, in which the student's file
// changes. One file at a time, and the compiler sees the whole project.
std::unique_ptr<StudentBuilder> cmake_student_builder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, unsigned jobs, Progress& progress);

// Splits a command line as a shell does, without expansions.
std::vector<std::string> split_command(const std::string& line);

// Why what a file includes is refused; empty: it is not. Where there is no sandbox, the reference is within reach of an
// #include. `included` is what the compiler wrote: a rule for make, or MSVC's JSON (/sourceDependencies). `allowed` are files,
// and folders with all that is below them.
std::string check_included(const std::string& included, const std::vector<std::filesystem::path>& allowed);
std::string check_included_json(const std::string& included, const std::vector<std::filesystem::path>& allowed);

// Headers below the folders; not the .cpp files, which may be somebody's solution.
std::vector<std::filesystem::path> headers_in(const std::vector<std::filesystem::path>& folders);

std::string read_all(const std::filesystem::path& file);

}  // namespace grader
