#include "toolchain.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "student_build.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr int kMostLinks = 40;  // Linux has the same limit

class FolderList {
 public:
  explicit FolderList(const std::vector<fs::path>& hidden) : hidden_(hidden) {}

  // Returns whether the folder may be shown.
  bool add(const fs::path& folder) {
    std::error_code error;
    const fs::path path = fs::canonical(folder, error);
    if (error || !fs::is_directory(path)) return true;
    if (std::any_of(hidden_.begin(), hidden_.end(), [&](const fs::path& one) { return is_below(fs::weakly_canonical(one), path); })) return false;
    // Possibly with links, as the compiler finds it
    const fs::path named = (folder / "x").lexically_normal().parent_path();
    for (const fs::path& one : {path, named}) {
      if (!is_systems(one)) paths_.insert(one);
    }
    return true;
  }

  // Adds the file and the targets of its links.
  void add_program(fs::path file) {
    std::error_code error;
    for (int i = 0; i < kMostLinks; ++i) {
      if (!add(file.parent_path()) && !is_systems(file)) paths_.insert(file);
      if (!fs::is_symlink(file, error)) return;
      file = (file.parent_path() / fs::read_symlink(file)).lexically_normal();
    }
  }

  std::vector<fs::path> paths() const { return {paths_.begin(), paths_.end()}; }

 private:
  const std::vector<fs::path>& hidden_;
  std::set<fs::path> paths_;
};

// Adds the folders in "libraries: =/usr/lib/gcc/:/lib/", the output of GCC and Clang.
void add_search_dirs(FolderList& folders, const std::string& printed) {
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find(": =/");
    if (equals == std::string::npos) continue;
    std::istringstream list(line.substr(equals + 3));
    for (std::string folder; std::getline(list, folder, ':');) folders.add(folder);
  }
}

// Returns the command without these options and the word after each.
std::vector<std::string> without(const std::vector<std::string>& command, const std::set<std::string>& options) {
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (options.count(command[i]) != 0) ++i;
    else kept.push_back(command[i]);
  }
  return kept;
}

// Returns the command without dependency files, which would be written next to the project's own objects.
std::vector<std::string> without_dependencies(const std::vector<std::string>& command) {
  std::vector<std::string> kept;
  for (const std::string& word : without(command, {"-MT", "-MF"})) {
    const bool of_linker = word.find("--dependency-file=") != std::string::npos;  // CMake 3.27 and later
    if (of_linker && !kept.empty() && kept.back() == "-Xlinker") kept.pop_back();
    if (!of_linker && word != "-MD") kept.push_back(word);
  }
  return kept;
}

}  // namespace

Toolchain read_toolchain(const fs::path& build_dir, const std::vector<fs::path>& hidden) {
  std::ifstream written(build_dir / "toolchain");
  Toolchain toolchain;
  if (!std::getline(written, toolchain.compiler)) throw GraderError("CMake has not written " + (build_dir / "toolchain").string());
  if (is_systems(fs::path(toolchain.compiler)) && is_systems(fs::weakly_canonical(toolchain.compiler))) return toolchain;
  FolderList folders(hidden);
  folders.add_program(toolchain.compiler);
  for (std::string folder; std::getline(written, folder);) folders.add(folder);
  Command command;
  command.args = {toolchain.compiler, "-print-search-dirs"};
  command.limit = 60;
  add_search_dirs(folders, run(command).output);
  toolchain.folders = folders.paths();
  return toolchain;
}

std::vector<std::string> compiler_command(const std::string& commands, const std::string& output, const std::string& compiler) {
  const std::vector<std::string> writes = {"-o", output};
  std::istringstream lines(commands);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(output) == std::string::npos) continue;
    const std::vector<std::string> words = split_command(line);
    const auto begin = std::find(words.begin(), words.end(), compiler);
    const auto end = std::find(begin, words.end(), "&&");
    if (std::search(begin, end, writes.begin(), writes.end()) != end) return without_dependencies({begin, end});
  }
  throw GraderError("no command of Ninja writes " + output + " with " + compiler);
}

std::vector<std::string> without_files(const std::vector<std::string>& compile) { return without(compile, {"-o", "-c"}); }

std::vector<fs::path> values_of(const std::vector<std::string>& command, const std::vector<std::string>& options) {
  std::vector<fs::path> values;
  for (std::size_t i = 0; i < command.size(); ++i) {
    for (const std::string& option : options) {
      if (!command[i].starts_with(option)) continue;
      if (command[i] != option) values.push_back(command[i].substr(option.size()));
      else if (i + 1 < command.size()) values.push_back(command[i + 1]);
    }
  }
  return values;
}

}  // namespace grader
