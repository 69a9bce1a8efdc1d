// The compiler that a build folder uses, and the commands that CMake generated for it. grade_kit.h builds with them,
// sandbox.h shows the folders.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace grader {

struct Toolchain {
  std::string compiler;                        // as generated commands name it
  std::vector<std::filesystem::path> folders;  // what it needs outside of the system's folders; also single files
};

// Reads what CMake wrote into the build folder and asks the compiler for its folders. A folder that holds one of `hidden`
// is left out. Throws GraderError if the compiler is not known.
Toolchain read_toolchain(const std::filesystem::path& build_dir, const std::vector<std::filesystem::path>& hidden);

// Returns the command of `commands` that writes `output`, from the compiler on: without launchers, which share a cache with
// others, without what a shell runs before and after it, and without its files of dependencies. Throws GraderError if there is
// none.
std::vector<std::string> compiler_command(const std::string& commands, const std::string& output, const std::string& compiler);

// Returns the compiler and its flags, without the source and the output.
std::vector<std::string> without_files(const std::vector<std::string>& compile);

// Returns the values of the options, each joined to its option ("-Ifolder") or the next word ("-isystem", "folder").
std::vector<std::filesystem::path> values_of(const std::vector<std::string>& command, const std::vector<std::string>& options);

}  // namespace grader
