#include "workspace.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

namespace grader {

namespace fs = std::filesystem;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_lab_folder(const std::string& name) {
  return name.size() > 6 && name.starts_with("lab") && std::isdigit(static_cast<unsigned char>(name[3])) &&
         std::isdigit(static_cast<unsigned char>(name[4])) && name[5] == '_';
}

#ifndef _WIN32
// Tests mostly wait. The solutions of all labs on 2 busy cores, mean of 10 runs: 2 tests at once 7.1 s, 4 at once 5.4
// s, 6 and 8 at once 6.5 s and more. The slowest test took 2.1, 2.3, 3.7 and 3.0 s of its 20 s, and none failed.
constexpr unsigned kTestsPerJob = 2;

// Returns whether address randomisation must be off: TSan of GCC 12 crashes at start if the kernel uses more random
// bits.
bool needs_fixed_addresses() {
  int bits = 0;
  std::ifstream("/proc/sys/vm/mmap_rnd_bits") >> bits;
  return bits > 28;
}
#endif

}  // namespace

Workspace Workspace::from_environment() {
  Workspace workspace;
  const std::string root = environment("LAB_ROOT");
  const std::string build = environment("LAB_BUILD_DIR");
  workspace.root = root.empty() ? fs::current_path() : fs::path(root);
  workspace.build = build.empty() ? workspace.root / "build" : fs::absolute(build);
  for (const fs::directory_entry& entry : fs::directory_iterator(workspace.root)) {
    const std::string name = entry.path().filename().string();
    if (!is_lab_folder(name) || !fs::exists(entry.path() / "CMakeLists.txt")) continue;
    workspace.labs.push_back({std::stoi(name.substr(3, 2)), name, name.substr(6)});
  }
  std::sort(workspace.labs.begin(), workspace.labs.end(), [](const Lab& a, const Lab& b) { return a.name < b.name; });
  if (workspace.labs.empty()) throw UsageError("there are no labs in " + workspace.root.string());
  fs::create_directories(workspace.build / "log");
  return workspace;
}

const Lab& Workspace::lab(const std::string& text) const {
  for (const Lab& lab : labs) {
    const std::string number = std::to_string(lab.number);
    if (text == number || text == "0" + number || text == lab.name.substr(0, 5) || text == lab.name) return lab;
  }
  throw UsageError("there is no lab '" + text + "'; the labs are " + std::to_string(labs.front().number) + " to " +
                   std::to_string(labs.back().number));
}

std::vector<Platform> Workspace::platforms() const {
#ifdef _WIN32
  Platform windows;
  windows.name = windows.preset = "windows";
  windows.config = "RelWithDebInfo";
  windows.suffix = ".exe";
  return {windows};
#else
  Platform linux_native;
  linux_native.name = linux_native.preset = "linux";
  linux_native.tests_per_job = kTestsPerJob;

  Platform asan = linux_native;
  asan.name = "asan";
  asan.preset = "linux-asan";
  asan.env = {{"ASAN_OPTIONS", "color=never:detect_leaks=1"}, {"UBSAN_OPTIONS", "color=never:print_stacktrace=1"}};
  asan.sanitized = true;
  asan.tests_per_job = 1;
  asan.timeout_scale = 2.5;  // tests/support has longer timeouts there, too

  Platform tsan = linux_native;
  tsan.name = "tsan";
  tsan.preset = "linux-tsan";
  // Without atexit_sleep_ms TSan waits a second at the end of each test for races of remaining threads; the tests join
  // them all.
  tsan.env = {{"TSAN_OPTIONS", "color=never:exitcode=66:atexit_sleep_ms=20"}};
  tsan.sanitized = true;
  tsan.tests_per_job = 1;
  tsan.timeout_scale = 2.5;
  if (needs_fixed_addresses()) tsan.runner = {"setarch", "-R"};

  Platform wine;
  wine.name = wine.preset = "wine";
  wine.suffix = ".exe";
  wine.runner = {(root / "platform/windows/wine-run").string()};
  wine.timeout_scale = 2.5;
  wine.most_jobs = 4;  // they share one wineserver
  return {linux_native, asan, tsan, wine};
#endif
}

Platform Workspace::platform(const std::string& name) const {
  const std::vector<Platform> all = platforms();
  if (name.empty()) return all.front();
  std::string names;
  for (const Platform& platform : all) {
    if (platform.name == name) return platform;
    names += (names.empty() ? "" : ", ") + platform.name;
  }
  throw UsageError("there is no platform '" + name + "' here; there are: " + names);
}

void Workspace::need_solutions(const std::string& command) const {
  if (has("solutions")) return;
  throw UsageError("'" + command + "' needs the reference solutions, which this copy of the course does not have");
}

fs::path Workspace::program(const Platform& platform, const std::string& target) const {
  return build_dir(platform) / "bin" / platform.config / (target + platform.suffix);
}

std::string Workspace::shown(const fs::path& path) const {
  const std::string text = path.lexically_relative(root).generic_string();
  return text.empty() || text.starts_with("..") ? path.string() : text;
}

std::string Workspace::test_target(const Lab& lab, bool solutions) const {
  if (solutions) return lab.name + "_solution_test";
  for (const Lab& earlier : labs) {
    if (earlier.number < lab.number && !has(earlier.solution_file())) return lab.name + "_test";
  }
  return lab.name + "_graded_test";
}

}  // namespace grader
