// `lab status`: shows the student's progress. It reads the results of the last check, so it is fast.
#include <algorithm>
#include <cstdio>

#include "points.h"
#include "progress.h"
#include "student.h"
#include "student_files.h"

namespace grader {

namespace {

struct Standing {
  const Lab* lab = nullptr;
  std::optional<SavedResult> result;
  std::vector<int> open;  // TODOs
  bool there = true;      // whether the file exists
  bool started = true;
  bool solution = false;  // whether it exists, for comparison
  bool changed = false;   // since the last check

  bool full() const { return result && result->full() && !changed; }
};

Standing standing_of(const Workspace& workspace, const Lab& lab) {
  Standing standing;
  standing.lab = &lab;
  standing.there = workspace.has(lab.student_file());
  standing.solution = workspace.has(lab.solution_file());
  const std::string text = read_text(workspace.root / lab.student_file());
  standing.open = open_todos(text);
  standing.started = standing.open.empty() || standing.open != todos_in(text);
  standing.result = saved_result(workspace, lab);
  standing.changed = standing.result && standing.result->hash != hash_of(text);
  return standing;
}

std::string bar(int earned) {
  constexpr int kWidth = 20;
  const int filled = std::clamp(earned * kWidth / kPointsPerLab, 0, kWidth);
  return "[" + green(std::string(filled, '#')) + std::string(kWidth - filled, '.') + "]";
}

std::string state_of(const Standing& standing) {
  if (!standing.there) return red("the file does not exist");
  if (!standing.started) return dim("not started");
  std::string text;
  if (!standing.result) {
    text = "not checked yet";
  } else if (standing.full()) {
    return green("full points");
  } else if (standing.changed) {
    text = "changed since the last check";
  } else if (!standing.result->built) {
    text = red("does not compile");
  } else if (standing.result->verdict != name_of(Verdict::not_started)) {
    text = standing.result->first_failure + ": " + red(standing.result->verdict);
  }
  if (standing.open.empty()) return text;
  return text + (text.empty() ? "" : ", ") + "TODO " + std::to_string(standing.open.front()) + " is open";
}

std::string next_step(const std::vector<Standing>& all) {
  for (const Standing& standing : all) {
    if (standing.full()) continue;
    const Lab& lab = *standing.lab;
    const std::string number = std::to_string(lab.number);
    const std::string check = "./lab check " + number;
    if (!standing.there) return "./lab reset " + number;
    if (!standing.started) return "read " + lab.name + "/README.md, open " + lab.student_file() + " at TODO 1, then: " + check;
    if (!standing.result || standing.changed) return check;
    if (!standing.open.empty()) {
      return "open " + lab.student_file() + " at TODO " + std::to_string(standing.open.front()) + ", then: " + check +
             ". A hint: ./lab hint " + number;
    }
    return "correct " + lab.student_file() + ", then: " + check;
  }
  return "all labs have full points" + (all.front().solution ? ". Compare them with the solutions: ./lab diff " +
                                                                   std::to_string(all.front().lab->number)
                                                             : std::string());
}

}  // namespace

int status(const Workspace& workspace) {
  std::vector<Standing> all;
  std::size_t width = 0;
  int earned = 0;
  for (const Lab& lab : workspace.labs) {
    keep_starter(workspace, lab);
    all.push_back(standing_of(workspace, lab));
    width = std::max(width, lab.topic.size());
  }
  for (const Standing& standing : all) {
    const int points = standing.result && standing.started ? standing.result->earned : 0;
    earned += points;
    std::printf("%d %-*s  %s %3d/%d  %s\n", standing.lab->number, static_cast<int>(width), standing.lab->topic.c_str(),
                bar(points).c_str(), points, kPointsPerLab, state_of(standing).c_str());
  }
  const int labs = static_cast<int>(all.size());
  std::printf("  %-*s  %s %3d/%d\n\nNext: %s\n", static_cast<int>(width), "all", bar(earned / labs).c_str(), earned,
              labs * kPointsPerLab, next_step(all).c_str());
  return kExitFull;
}

}  // namespace grader
