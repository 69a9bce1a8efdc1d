// `lab doctor`: checks whether the labs can be done on this machine, and what to install.
#include "doctor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "child.h"
#include "loopback_probe.h"
#include "model.h"
#include "progress.h"
#include "student.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string shown(const std::vector<int>& version) {
  std::string text;
  for (const int part : version) text += (text.empty() ? "" : ".") + std::to_string(part);
  return text;
}

// Returns the program's output, or an empty string if it cannot be run.
std::string answer(std::vector<std::string> words) {
  Command command;
  command.args = std::move(words);
  command.limit = 30;  // Wine's first start takes time
  const Ended ended = run(command);
  if (!ended.ok()) return "";
  return ended.output.empty() ? "it runs" : ended.output;
}

// Checks a program. If its file exists but does not run here, it is missing, too.
Finding program(const std::string& name, const std::string& command, std::vector<int> least, const std::string& install, bool needed) {
  return judge_program(name, answer({command, "--version"}), std::move(least), install, needed);
}

Finding wine() {
  const std::string output = answer({"wine", "--version"});
  const std::size_t at = output.find("wine-");  // Debian's wrapper may warn of a missing wine32 first
  return judge_program("Wine", at == std::string::npos ? output : output.substr(at), {8}, "wine wine64", false);
}

Finding mingw() {  // its --version begins with its own name, which has digits
  return judge_program("MinGW-w64", answer({"x86_64-w64-mingw32-g++-posix", "-dumpversion"}), {12}, "g++-mingw-w64-x86-64-posix", false);
}

std::string compiler_command() {
  const char* const chosen = std::getenv("CXX");
  return chosen != nullptr && *chosen != '\0' ? chosen : "c++";
}

Finding compiler() {
  const std::string output = answer({compiler_command(), "--version"});
  const bool clang = first_line(output).find("clang") != std::string::npos;
  return judge_program("C++ compiler", output, {clang ? 14 : 11}, "g++", true);
}

struct Package {
  const char* name;
  const char* header;
  const char* source;   // the folder where a package keeps its sources for CMake; may be empty
  const char* fetched;  // CMake's name for it, if CMake can fetch it
  const char* install;
  bool needed;
};

constexpr Package kPackages[] = {
    {"GoogleTest", "gtest/gtest.h", "/usr/src/googletest/CMakeLists.txt", "googletest", "libgtest-dev", true},
    {"CLI11", "CLI/CLI.hpp", "", "cli11", "libcli11-dev", true},
    {"nlohmann-json", "nlohmann/json.hpp", "", "nlohmann_json", "nlohmann-json3-dev", true},
    {"Google Benchmark", "benchmark/benchmark.h", "", "", "libbenchmark-dev", false},
    {"Asio", "asio.hpp", "", "", "libasio-dev", false},
};

// Asks the compiler itself, so that all of its folders are searched. Without a compiler, searches the packages' folder.
bool compiler_finds(const std::string& header) {
  std::error_code ignored;
  if (answer({compiler_command(), "--version"}).empty()) return fs::exists("/usr/include/" + header, ignored);
  const PrivateFolder folder;
  const fs::path file = folder.path() / "probe.cpp";
  std::ofstream(file) << "#if !__has_include(<" << header << ">)\n#error missing\n#endif\n";
  return !answer({compiler_command(), "-std=c++20", "-fsyntax-only", file.string()}).empty();
}

Finding package(const Workspace& workspace, const Package& package) {
  Finding finding{package.name, Finding::State::ok, "installed", package.install, package.needed};
  std::error_code ignored;
  if (*package.source != '\0' && fs::exists(package.source, ignored)) return finding;
  if (compiler_finds(package.header)) return finding;
  const fs::path deps = workspace.build_dir(workspace.platforms().front()) / "_deps";
  if (*package.fetched != '\0' && fs::exists(deps / (std::string(package.fetched) + "-src"), ignored)) {
    finding.detail = "fetched by CMake";
    return finding;
  }
  finding.state = Finding::State::missing;
  finding.detail.clear();
  return finding;
}

Finding loopback() {
  const std::string wrong = try_loopback();
  return {"port on 127.0.0.1", wrong.empty() ? Finding::State::ok : Finding::State::missing,
          wrong.empty() ? "can be opened" : wrong, "", true};
}

Finding sandbox() {
  Finding finding = program("bubblewrap", "bwrap", {}, "bubblewrap", false);
  if (finding.state == Finding::State::ok && answer({"bwrap", "--ro-bind", "/", "/", "--unshare-net", "true"}).empty()) {
    finding.state = Finding::State::missing;
    finding.detail = finding.detail + ", but it may not run here";
    finding.install.clear();
  }
  return finding;
}

}  // namespace

std::vector<int> version_in(const std::string& text) {
  const std::string line = first_line(text);
  std::vector<int> best;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] < '0' || line[i] > '9') {
      ++i;
      continue;
    }
    std::vector<int> version{0};
    for (; i < line.size(); ++i) {
      const bool digit = line[i] >= '0' && line[i] <= '9';
      const bool dot = line[i] == '.' && i + 1 < line.size() && line[i + 1] >= '0' && line[i + 1] <= '9';
      if (digit) version.back() = std::min(version.back() * 10 + (line[i] - '0'), 100000);
      if (dot) version.push_back(0);
      if (!digit && !dot) break;
    }
    if (version.size() > 1 || best.empty()) best = version;
  }
  return best;
}

Finding judge_program(const std::string& name, const std::string& output, std::vector<int> least, const std::string& install, bool needed) {
  Finding finding{name, Finding::State::missing, "", install, needed};
  if (output.empty()) return finding;
  const std::vector<int> version = version_in(output);
  finding.state = version < least ? Finding::State::too_old : Finding::State::ok;
  finding.detail = shown(version);
  if (version < least) finding.detail += ", must be " + shown(least) + " or newer";
  return finding;
}

int print_findings(const std::vector<Finding>& findings) {
  std::string install, needed, wrong;
  for (const Finding& finding : findings) {
    const bool ok = finding.state == Finding::State::ok;
    const std::string state = ok ? green("ok     ") : (finding.needed ? red : dim)(finding.state == Finding::State::missing ? "missing" : "too old");
    std::printf("%s  %-18s%s%s\n", state.c_str(), finding.name.c_str(), finding.detail.c_str(),
                ok || finding.needed ? "" : finding.detail.empty() ? "not needed for the labs" : ", not needed for the labs");
    if (ok) continue;
    if (finding.needed) wrong += (wrong.empty() ? "" : ", ") + finding.name;
    if (!finding.install.empty()) (finding.needed ? needed : install) += " " + finding.install;
  }
  std::printf("\n");
  if (!needed.empty()) std::printf("To install it on Debian:  apt-get install%s\n", needed.c_str());
  if (!install.empty())
    std::printf("To install what `lab bench`, tests on Wine, `lab reset` or grading need:  apt-get install%s\n",
                install.c_str());
  if (wrong.empty()) {
    std::printf("The labs can be done here.\n");
    return kExitFull;
  }
  std::printf("The labs cannot be done here yet: %s.\n", wrong.c_str());
  return kExitNotFull;
}

int doctor(const Workspace& workspace) {
#ifdef _WIN32
  (void)workspace;  // lab.cmd has found Visual Studio and vcpkg, otherwise there would be no tool
  (void)compiler, (void)package, (void)kPackages, (void)wine, (void)mingw, (void)sandbox, (void)compiler_command;
  return print_findings({program("CMake", "cmake", {3, 24}, "", true), program("Git", "git", {}, "", false), loopback()});
#else
  std::vector<Finding> findings = {compiler(), program("CMake", "cmake", {3, 24}, "cmake", true),
                                   program("Ninja", "ninja", {1, 10}, "ninja-build", true)};
  for (const Package& one : kPackages) findings.push_back(package(workspace, one));
  findings.push_back(loopback());
  findings.push_back(program("Git", "git", {}, "git", false));
  findings.push_back(wine());
  findings.push_back(mingw());
  findings.push_back(sandbox());
  findings.push_back(judge_program("unzip", answer({"unzip", "-v"}), {}, "unzip", false));
  return print_findings(findings);
#endif
}

}  // namespace grader
