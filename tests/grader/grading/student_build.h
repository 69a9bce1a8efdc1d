// Builds the given code once, then compiles and links each student's file against it in the sandbox. Implemented in
// student_build_ninja.cpp and student_build_cmake.cpp.
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

// One lab and its graded tests: what does not depend on the student.
struct LabTests {
  Lab lab;
  std::vector<GradedTest> tests;
};

struct StudentBuild {
  bool ok = false;
  bool interrupted = false;
  bool grader_error = false;       // the course's error, not the student's
  std::string error;               // the compiler's messages, bounded
  std::vector<std::string> notes;  // what the instructor should look at
};

// Returns the command that runs `inner` in the sandbox: Sandbox::wrap in production; tests pass a stub.
using WrapInSandbox = std::function<Command(const Command& inner, const SandboxSpec& spec)>;

class StudentBuilder {
 public:
  virtual ~StudentBuilder() = default;
  StudentBuilder(const StudentBuilder&) = delete;
  StudentBuilder& operator=(const StudentBuilder&) = delete;

  const Platform& platform() const { return platform_; }
  const std::vector<LabTests>& labs() const { return labs_; }
  std::string fingerprint() const;  // of all labs
  // Changes with the tests, the given code or the commands
  virtual std::string fingerprint(const LabTests& lab_tests) const = 0;

  // Compiles the file and links it with the given code. Writes the programs to `bin`, an empty folder. May be called
  // from several threads.
  virtual StudentBuild build_student(const Lab& lab, const std::filesystem::path& file,
                                     const std::filesystem::path& bin, const WrapInSandbox& wrap) const = 0;

  // Returns the test program in `bin`. Each of its tests runs in its own sandbox.
  TestProgram program(const Lab& lab, const std::filesystem::path& bin, const WrapInSandbox& wrap) const;

 protected:
  StudentBuilder(const Workspace& workspace, const Platform& platform) : workspace_(workspace), platform_(platform) {}

  // Adds a lab whose solution's tests were built, now or earlier. Throws GraderError if the manifest does not match
  // them.
  void add(const Lab& lab, const std::filesystem::path& solution_test);
  static std::string fingerprint_of(const std::vector<GradedTest>& tests);
  // Returns the compiler's messages without the tool's folders, bounded.
  std::string shown_error(const Ended& ended, const std::filesystem::path& folder) const;

  const Workspace& workspace_;
  const Platform platform_;
  std::vector<std::filesystem::path> system_;  // SandboxSpec::system of each step and test

 private:
  std::vector<LabTests> labs_;
};

constexpr std::uint64_t kMegabyte = 1 << 20;
Limits compile_limits(const Platform& platform);

// These functions throw GraderError if the project itself does not build.

// Returns the builder for this system: on Linux that of student_build_ninja.cpp, on Windows cmake_student_builder().
// With `measured`, each file is also linked into a program that counts (Linux only).
std::unique_ptr<StudentBuilder> student_builder_of_this_system(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured,
                                             unsigned jobs, Progress& progress);
// For generators whose commands cannot be listed, such as Visual Studio: a separate build folder, in which the
// student's file is replaced. Builds one file at a time, and the compiler sees the whole project.
std::unique_ptr<StudentBuilder> cmake_student_builder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, unsigned jobs, Progress& progress);

// Splits a command line like a shell, without expansions.
std::vector<std::string> split_command(const std::string& line);

// Returns the reason why the includes of a file are rejected, or an empty string if they are allowed. Without a
// sandbox, an #include could reach the reference. `included` is the compiler's output: a make rule, or MSVC's JSON
// (/sourceDependencies). `allowed` lists files, and folders with everything below them.
std::string check_included(const std::string& included, const std::vector<std::filesystem::path>& allowed);
std::string check_included_json(const std::string& included, const std::vector<std::filesystem::path>& allowed);

// Returns the headers below the folders. Skips .cpp files, which may be solutions.
std::vector<std::filesystem::path> headers_in(const std::vector<std::filesystem::path>& folders);

std::string read_all(const std::filesystem::path& file);

}  // namespace grader
