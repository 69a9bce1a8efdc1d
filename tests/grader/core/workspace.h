// The checkout, its labs, and the platforms for which they are built.
#pragma once

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace grader {

// An error in the command line. The message lists what is possible.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Lab {
  int number = 0;
  std::string name;   // "lab03_overlapped_ex"
  std::string topic;  // "overlapped_ex"

  std::string student_file() const { return name + "/" + topic + ".cpp"; }
  std::string solution_file() const { return "solutions/" + name + "/" + topic + ".cpp"; }
  std::string test_file() const { return "tests/" + name + "_test.cpp"; }
};

// One way to build and run. The user types its name.
struct Platform {
  std::string name;
  std::string preset;
  std::string config;                                    // for generators that build several configurations
  std::string suffix;                                    // file name suffix of a program
  std::vector<std::string> runner;                       // words in front of the program
  std::vector<std::pair<std::string, std::string>> env;  // for the program
  bool sanitized = false;                                // sanitizer reports count as verdicts
  double timeout_scale = 1;                              // factor for time limits
  unsigned tests_per_job = 1;
  unsigned most_jobs = 64;

  unsigned tests_at_once(unsigned jobs) const { return std::min(jobs * tests_per_job, most_jobs); }
};

// Returns whether tests/evidence.json is learned on the platform. Windows programs reach different checks in places,
// and are not graded in the sandbox.
inline bool has_evidence(const Platform& platform) { return platform.suffix != ".exe"; }

class Workspace {
 public:
  // Reads LAB_ROOT and LAB_BUILD_DIR, which `lab` sets. The defaults are the current folder and its subfolder `build`.
  static Workspace from_environment();

  std::filesystem::path root;
  std::filesystem::path build;  // the root of all builds
  std::vector<Lab> labs;        // every folder labNN_topic with a CMakeLists.txt, in order

  const Lab& lab(const std::string& text) const;  // "3", "03", "lab03" or the full name; throws UsageError
  std::vector<Platform> platforms() const;        // those of this system; the first one is the default
  Platform platform(const std::string& name) const;  // throws UsageError; "" is the default
  void need_solutions(const std::string& command) const;  // throws UsageError in a handout, which has no solutions
  bool has(const std::string& file) const { return std::filesystem::exists(root / file); }

  std::filesystem::path build_dir(const Platform& platform) const { return build / platform.preset; }
  std::filesystem::path program(const Platform& platform, const std::string& target) const;
  std::filesystem::path log(const std::string& name) const { return build / "log" / (name + ".log"); }
  std::string shown(const std::filesystem::path& path) const;  // relative to the root if that is shorter

  // Returns the target whose tests grade this lab: the student's file over the reference labs, or over the student's
  // own labs if the tree has no reference; with `solutions` the reference itself.
  std::string test_target(const Lab& lab, bool solutions) const;
};

}  // namespace grader
