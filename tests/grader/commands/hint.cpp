// `lab hint`: shows one more hint each time.
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "hints.h"
#include "progress.h"
#include "student.h"
#include "student_files.h"

namespace grader {

namespace {

// Wraps lines at 100 columns, or at the terminal's width. Lines of code are short already.
std::string wrapped(const std::string& text) {
  const std::size_t width = stdout_is_terminal() ? std::clamp<std::size_t>(terminal_width(), 30, 104) - 4 : 100;
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (line.size() > width) {
      const std::size_t space = line.rfind(' ', width);
      if (space == std::string::npos || space == 0) break;
      result += "    " + line.substr(0, space) + "\n";
      line.erase(0, space + 1);
    }
    result += "    " + line + "\n";
  }
  return result;
}

// Shows help for the first failing test, if every TODO is written.
int about_the_failure(const Workspace& workspace, const Lab& lab) {
  const std::string number = std::to_string(lab.number);
  const auto result = saved_result(workspace, lab);
  std::printf("every TODO of lab %s is written. For hints on one of them: ./lab hint %s TODO\n", number.c_str(),
              number.c_str());
  if (!result || result->hash != hash_of(read_text(workspace.root / lab.student_file()))) {
    std::printf("Next: ./lab check %s\n", number.c_str());
    return kExitFull;
  }
  if (result->first_failure.empty()) return kExitFull;
  const std::vector<std::string> row = handout_row(read_text(workspace.root / lab.name / "README.md"), result->first_failure);
  if (row.empty()) return kExitFull;
  std::printf("\n%s fails. The handout says:\n%s", bold(result->first_failure).c_str(), wrapped(row[0]).c_str());
  if (row.size() > 1) std::printf("%s", wrapped("Look at " + row[1] + ".").c_str());
  return kExitFull;
}

}  // namespace

int hint(const Workspace& workspace, const HintOptions& options) {
  const Lab& lab = workspace.lab(options.lab);
  const std::string number = std::to_string(lab.number);
  const LabHints hints = read_hints(workspace.root / "tests/grader/core/hints.json", lab.name);
  keep_starter(workspace, lab);
  int todo = options.todo;
  if (todo == 0) {
    if (!workspace.has(lab.student_file()))
      throw UsageError(lab.student_file() + " does not exist. Restore the starter: lab reset " + number);
    const std::vector<int> open = open_todos(read_text(workspace.root / lab.student_file()));
    if (open.empty()) return about_the_failure(workspace, lab);
    todo = open.front();
  }
  const auto found = hints.find(todo);
  if (found == hints.end()) {
    throw UsageError("lab " + number + " has no TODO " + std::to_string(todo) + "; it has 1 to " + std::to_string(hints.rbegin()->first));
  }

  ShownHints shown(workspace);
  std::size_t before = shown.of(lab, todo);
  if (options.again && before == 0)
    throw UsageError("no hint for TODO " + std::to_string(todo) + " has been shown yet; omit --again");
  const bool used_up = before == kHintsPerTodo;
  std::size_t last = before;
  if (options.all) {
    last = kHintsPerTodo;
  } else if (!options.again) {
    last = std::min(before + 1, kHintsPerTodo);
  }
  const std::size_t first = options.all || options.again || used_up ? 0 : before;
  for (std::size_t i = first; i < last; ++i) {
    std::printf("%s\n%s\n", bold("lab " + number + ", TODO " + std::to_string(todo) + ", hint " + std::to_string(i + 1) + " of " +
                                 std::to_string(kHintsPerTodo)).c_str(),
                wrapped(found->second[i]).c_str());
  }
  if (last != before) shown.set(lab, todo, last);
  if (last < kHintsPerTodo) {
    std::printf("For one more: ./lab hint %s %d\n", number.c_str(), todo);
  } else {
    std::printf("There is no further hint for this TODO. After you have written it: ./lab check %s\n", number.c_str());
  }
  return kExitFull;
}

}  // namespace grader
