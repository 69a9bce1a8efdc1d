// Configures and builds, quietly: one progress line, a log, and the first error.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "progress.h"
#include "workspace.h"

namespace grader {

// A build folder. For a platform it is that of its preset; `name` names it to people and in the log's name.
struct BuildFolder {
  std::string name;
  std::string preset;
  std::filesystem::path dir;
  std::string config;
  std::vector<std::string> definitions;  // "LAB_WERROR=ON"; given when the folder is configured
};

BuildFolder build_folder(const Workspace& workspace, const Platform& platform);

struct BuildResult {
  bool ok = false;
  bool interrupted = false;
  std::string error;           // the first error of the compiler, with the lines that explain it
  std::filesystem::path log;
};

// Configures the folders that are new, side by side, since CMake uses one core. An error shows when they are built.
void configure_new(const Workspace& workspace, const std::vector<BuildFolder>& folders);

// Builds the targets. Configures first when the folder is new, or does not know a target yet. Goes on after an error,
// so that one bad file does not keep the others from being built.
BuildResult build(const Workspace& workspace, const BuildFolder& folder, const std::vector<std::string>& targets,
                  unsigned jobs, Progress& progress);

// Builds all targets together; when that fails, each by itself, so that each has its own answer.
std::vector<BuildResult> build_each(const Workspace& workspace, const BuildFolder& folder,
                                    const std::vector<std::string>& targets, unsigned jobs, Progress& progress);

// The first error in a build's output; one in a lab's folder goes before others.
std::string first_error(const std::string& output, const Workspace& workspace);

}  // namespace grader
