// `lab reset`: restores the starter.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "child.h"
#include "progress.h"
#include "points.h"
#include "student.h"
#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

fs::path free_backup(const fs::path& file) {
  for (int i = 1;; ++i) {
    const fs::path backup = file.string() + ".bak-" + std::to_string(i);
    if (!fs::exists(backup)) return backup;
  }
}

bool agreed(const Lab& lab) {
  std::printf("%s becomes the starter again; your file is kept next to it. Continue? [y/N] ",
              lab.student_file().c_str());
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

}  // namespace

int reset(const Workspace& workspace, const std::string& number, bool yes) {
  const Lab& lab = workspace.lab(number);
  const fs::path file = workspace.root / lab.student_file();
  const std::string starter = starter_of(workspace, lab);
  if (starter.empty()) {
    throw GraderError(
        "there is no starter for " + lab.student_file() +
        ": git does not have it, and no copy was kept. Get it from the source of your copy of the course");
  }
  const bool exists = fs::exists(file);
  if (exists && read_text(file) == starter) {
    std::printf("%s already is the starter\n", lab.student_file().c_str());
    return kExitFull;
  }
  if (exists && !yes) {
    if (!stdin_is_terminal()) throw UsageError("this replaces " + lab.student_file() + "; to confirm, add --yes");
    if (!agreed(lab)) {
      std::printf("%snothing was changed\n", interrupted() ? "\n" : "");
      return interrupted() ? kExitInterrupted : kExitNotFull;
    }
  }
  if (exists) {
    const fs::path backup = free_backup(file);
    std::error_code error;
    if (!fs::copy_file(file, backup, error)) throw UsageError(workspace.shown(backup) + " cannot be written, so nothing was changed");
    std::printf("your file is kept in %s\n", workspace.shown(backup).c_str());
  }
  std::ofstream stream(file, std::ios::binary);
  stream << starter;
  if (!stream.flush()) throw UsageError(lab.student_file() + " cannot be written");
  std::printf("%s is the starter again\nNext: read %s/README.md, then: ./lab check %d\n", lab.student_file().c_str(), lab.name.c_str(), lab.number);
  return kExitFull;
}

}  // namespace grader
