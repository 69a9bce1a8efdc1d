// `lab diff`: compares the student's file with the solution.
#include <cstdio>

#include "points.h"
#include "progress.h"
#include "student.h"
#include "student_files.h"
#include "text_diff.h"

namespace grader {

int diff(const Workspace& workspace, const std::string& number, bool force) {
  const Lab& lab = workspace.lab(number);
  workspace.need_solutions("diff");
  for (const std::string& file : {lab.solution_file(), lab.student_file()}) {
    if (!workspace.has(file)) throw UsageError(file + " does not exist");
  }
  const std::string text = read_text(workspace.root / lab.student_file());
  const auto result = saved_result(workspace, lab);
  if (!force) {
    const std::string check = "./lab check " + std::to_string(lab.number);
    std::string why;
    if (!result) {
      why = "your file has not been checked yet";
    } else if (result->hash != hash_of(text)) {
      why = "your file has changed since its last check";
    } else if (!result->full()) {
      why = "your file has " + std::to_string(result->earned) + " of " + std::to_string(result->possible) + " points";
    }
    if (!why.empty()) {
      std::printf(
          "the solution is shown only if your file has full points: %s\nNext: %s\n"
          "To see it now, although you would learn less: ./lab diff %d --force\n",
          why.c_str(), check.c_str(), lab.number);
      return kExitNotFull;
    }
  }
  const std::string solution = read_text(workspace.root / lab.solution_file());
  const std::vector<std::string> lines = unified_diff(text, solution, lab.student_file(), lab.solution_file());
  if (lines.empty()) std::printf("your file is identical to the solution\n");
  for (const std::string& line : lines) {
    const bool heading = line.starts_with("--- ") || line.starts_with("+++ ");
    const std::string shown = heading ? bold(line) : line[0] == '-' ? red(line) : line[0] == '+' ? green(line) : line[0] == '@' ? dim(line) : line;
    std::printf("%s\n", shown.c_str());
  }
  std::printf("\nThe reasons for this solution: solutions/README.md\n");
  return kExitFull;
}

}  // namespace grader
