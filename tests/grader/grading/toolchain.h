// Finds the compiler of a build folder and the commands that CMake generated for it. student_build.h builds with them;
// sandbox.h shows the folders.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace grader {

struct Toolchain {
  std::string compiler;                        // as generated commands name it
  // What it needs outside of the system's folders; may include single files
  std::vector<std::filesystem::path> folders;
};

// Reads what CMake wrote into the build folder and asks the compiler for its folders. Leaves out every folder that
// contains one of `hidden`. Throws GraderError if the compiler is unknown.
Toolchain read_toolchain(const std::filesystem::path& build_dir, const std::vector<std::filesystem::path>& hidden);

// Returns the command of `commands` that writes `output`, starting with the compiler: without launchers, which share a
// cache with other builds, without other shell commands before and after it, and without dependency files. Throws
// GraderError if there is none.
std::vector<std::string> compiler_command(const std::string& commands, const std::string& output, const std::string& compiler);

// Returns the compiler and its flags, without the source and the output.
std::vector<std::string> without_files(const std::vector<std::string>& compile);

// Returns the values of the options, each joined to its option ("-Ifolder") or the next word ("-isystem", "folder").
std::vector<std::filesystem::path> values_of(const std::vector<std::string>& command, const std::vector<std::string>& options);

}  // namespace grader
