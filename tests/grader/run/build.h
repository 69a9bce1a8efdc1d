// Configures and builds with little output: one progress line, a log, and the first error.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "progress.h"
#include "workspace.h"

namespace grader {

// A build folder. A platform uses that of its preset. `name` appears in messages and in the log's file name.
struct BuildFolder {
  std::string name;
  std::string preset;
  std::filesystem::path dir;
  std::string config;
  std::vector<std::string> definitions;  // such as "LAB_WERROR=ON"; used when the folder is configured
};

BuildFolder build_folder(const Workspace& workspace, const Platform& platform);

struct BuildResult {
  bool ok = false;
  bool interrupted = false;
  std::string error;  // the compiler's first error, with the lines that explain it
  std::filesystem::path log;
};

// Configures the new folders concurrently, because CMake uses one core. An error is reported when the folder is built.
void configure_new(const Workspace& workspace, const std::vector<BuildFolder>& folders);

// Builds the targets. Configures first if the folder is new or does not know a target yet. Continues after an error, so
// that one bad file does not prevent the others from being built.
BuildResult build(const Workspace& workspace, const BuildFolder& folder, const std::vector<std::string>& targets,
                  unsigned jobs, Progress& progress);

// Builds all targets together. If that fails, builds each one alone, so that each has its own result.
std::vector<BuildResult> build_each(const Workspace& workspace, const BuildFolder& folder,
                                    const std::vector<std::string>& targets, unsigned jobs, Progress& progress);

// Returns the first error in a build's output; prefers one in a lab's folder.
std::string first_error(const std::string& output, const Workspace& workspace);

}  // namespace grader
