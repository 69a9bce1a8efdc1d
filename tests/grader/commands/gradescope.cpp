// `lab gradescope`: packs this repository as an autograder.
#include <cstdio>

#include "child.h"
#include "commands.h"
#include "handout.h"
#include "points.h"

namespace grader {

namespace fs = std::filesystem;

int pack_gradescope(const Workspace& workspace, const PackOptions& options) {
  workspace.need_solutions("gradescope");
  const fs::path zip = fs::absolute(options.zip);
  if (zip.extension() != ".zip") throw UsageError("the file name must end in .zip");
  need_writable(zip);
  std::string labs;
  for (const std::string& text : options.labs) labs += (labs.empty() ? "" : ",") + std::to_string(workspace.lab(text).number);
  for (const Lab& lab : workspace.labs) {
    if (options.labs.empty()) labs += (labs.empty() ? "" : ",") + std::to_string(lab.number);
  }
  const PrivateFolder folder;
  for (const std::string& file : files_of_course(workspace)) {
    fs::create_directories((folder.path() / "lab" / file).parent_path());
    fs::copy_file(workspace.root / file, folder.path() / "lab" / file);
  }
  for (const std::string script : {"setup.sh", "run_autograder"}) {
    fs::copy_file(workspace.root / "tests/grader/commands/gradescope" / script, folder.path() / script);
    fs::permissions(folder.path() / script, static_cast<fs::perms>(0755));
  }
  write_whole(folder.path() / "labs", labs + "\n");
  Command command;  // CMake is always installed, so no zip program is needed
  command.args = {"cmake", "-E", "tar", "cf", zip.string(), "--format=zip", "setup.sh", "run_autograder", "labs", "lab"};
  command.dir = folder.path();
  const Ended ended = run(command);
  if (ended.how == Ended::How::interrupted) return kExitInterrupted;
  if (!ended.ok()) throw GraderError("the file could not be packed: " + ended.error + ended.output);
  std::printf(
      "packed labs %s into %s, %ju KB\nIt contains the solutions: upload it to Gradescope only.\n"
      "On Gradescope choose a base image with CMake 3.24 or later, and at least 1 CPU and 2 GB.\n",
      labs.c_str(), workspace.shown(zip).c_str(), static_cast<std::uintmax_t>(fs::file_size(zip) / 1024));
  return kExitFull;
}

}  // namespace grader
