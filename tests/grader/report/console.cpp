#include "console.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

#include "hints.h"
#include "verdict.h"
#include "progress.h"
#include "student_files.h"

namespace grader {

namespace {

std::string coloured(Verdict verdict) {
  const std::string name = name_of(verdict);
  if (verdict == Verdict::passed) return green(name);
  return verdict == Verdict::not_run || verdict == Verdict::not_started ? dim(name) : red(name);
}

// Returns " on tsan" for a test that failed on another platform than the first.
std::string where(const TestResult& test, const Workspace& workspace) {
  if (test.passed() || test.platform.empty() || test.platform == workspace.platforms().front().name) return "";
  return " on " + test.platform;
}

void print_table(const LabResult& lab, const Workspace& workspace) {
  std::size_t width = 4;
  for (const TestResult& test : lab.tests) width = std::max(width, test.name.size());
  std::printf("  points   %s  verdict\n", padded("test", width).c_str());
  for (const TestResult& test : lab.tests) {
    char points[32];
    std::snprintf(points, sizeof points, "%3d/%-3d", test.earned(), test.points);
    const std::string orders = test.passed() && !test.orders.empty() ? dim(", " + test.orders) : "";
    std::printf("  %s  %s  %s%s%s\n", points, padded(test.name, width).c_str(), coloured(test.verdict).c_str(),
                where(test, workspace).c_str(), orders.c_str());
  }
}

// Returns "lab03_overlapped_ex/overlapped_ex.cpp at TODO 2" for "lab03 TODO 2". Over the student's own chain it may be
// an earlier lab's.
std::string place_of(const std::string& todo, const Workspace& workspace) {
  for (const Lab& lab : workspace.labs) {
    if (todo.starts_with(lab.name.substr(0, 5) + " ")) return lab.student_file() + " at " + todo.substr(6);
  }
  return "";
}

std::string next_step(const LabResult& lab, const Report& report, const Workspace& workspace) {
  const std::string again = "./lab check " + std::to_string(lab.number) + report.again;
  if (lab.full()) {
    if (report.one_test) return "";
    if (report.solutions) return "";
    for (const Lab& next : workspace.labs) {
      if (next.number == lab.number + 1) return "full points; " + (workspace.has("solutions") ? "./lab diff " + std::to_string(lab.number) + " shows the solution. Read " : "read ") + next.name + "/README.md, then: ./lab check " + std::to_string(next.number);
    }
    return "full points, and the last lab. Try it: ./lab run " + std::to_string(lab.number);
  }
  if (lab.problem == Problem::grader) return "this is an error of the course, not yours.";
  if (lab.problem == Problem::build) {
    if (!workspace.has(lab.file)) return "./lab reset " + std::to_string(lab.number) + " brings the starter back";
    const auto tells_of = [&](const std::string& text) { return lab.problem_text.find(text) != std::string::npos; };
    // MSVC has other messages
    const bool of_the_file =
        tells_of(lab.file) || tells_of("undefined reference") || workspace.platforms().front().name == "windows";
    if (!of_the_file) return "the error is not in " + lab.file + ". ./lab doctor shows whether something is missing here";
    return "correct " + lab.file + ", then: " + again;
  }
  const TestResult* failure = failure_to_show(lab);
  if (failure == nullptr) return again;
  if (failure->verdict == Verdict::grader_error) return "this is an error of the course, not yours.";
  if (failure->verdict == Verdict::not_started) {
    std::string todo = todo_of(failure->output);  // "lab03 TODO 2"
    // A test may reach a later TODO first: it calls the table's functions, but not its State.
    const std::vector<int> open = open_todos(read_text(workspace.root / lab.file));
    const std::string of_this_lab = lab.name.substr(0, 5) + " TODO ";
    if (!open.empty() && todo.starts_with(of_this_lab)) todo = of_this_lab + std::to_string(open.front());
    const std::string place = place_of(todo, workspace);
    if (!place.empty()) return "open " + place + " (stuck? ./lab hint " + std::to_string(std::atoi(todo.c_str() + 3)) + "), then: " + again;
  }
  return "correct " + lab.file + ", then: " + again;
}

// Returns the command that reproduces this failure.
std::string replay_of(const TestResult& test, const LabResult& lab, const Report& report, const Workspace& workspace) {
  std::string command = "./lab check " + std::to_string(lab.number) + " --test " + test.name;
  if (!test.seed.empty()) command += " --seed " + test.seed;
  if (report.solutions) command += " --solutions";
  if (!where(test, workspace).empty()) command += " --platform " + test.platform;
  return command;
}

std::string own_chain_line(const LabResult& lab, const Report& report, const Workspace& workspace) {
  const OwnChain& own = lab.own_chain;
  const std::string number = std::to_string(lab.number);
  const std::string start = "over your own " + (lab.number == 2 ? "lab 1" : "labs 1 to " + std::to_string(lab.number - 1)) + ": ";
  const std::string suspect = own.suspect.empty() ? "" : ". Correct " + own.suspect + ": ./lab check " + std::to_string(std::atoi(own.suspect.c_str() + 3));
  const std::string points = std::to_string(own.earned) + "/" + std::to_string(lab.possible());
  switch (own.status) {
    case OwnChain::Status::none: return "";
    case OwnChain::Status::no_reference: return start + "this copy of the course has no reference below lab " + number;
    case OwnChain::Status::no_points: return start + "not run, lab " + number + " has no points yet";
    case OwnChain::Status::not_asked_for: return start + "not run; ./lab check " + number + report.again + " --own runs it";
    case OwnChain::Status::does_not_build: return start + "they do not compile, see " + workspace.shown(own.log);
    case OwnChain::Status::not_written: return start + "not graded, lab " + std::to_string(own.unwritten) + " is not written yet";
    case OwnChain::Status::tested: return start + points + (own.first_failure.empty() ? "" : ", first " + own.first_failure + suspect);
    case OwnChain::Status::as_before: return start + points + ", as before";
  }
  return "";
}

std::string heading(const LabResult& lab) {
  return lab.name.substr(0, 5) + " " + (lab.name.size() > 6 ? lab.name.substr(6) : "");
}

std::string score(const LabResult& lab) {
  if (lab.problem == Problem::build) return red("does not compile");
  if (lab.problem == Problem::grader) return red("grader error");
  const std::string text = std::to_string(lab.earned()) + "/" + std::to_string(lab.possible());
  return lab.full() ? green(text) : red(text);
}

// Prints one line for each other failed test.
void print_other_failures(const LabResult& lab, const Workspace& workspace) {
  constexpr std::size_t kMost = 110;  // characters of a reason
  const TestResult* const shown = failure_to_show(lab);
  bool first = true;
  for (const TestResult& test : lab.tests) {
    const bool failed = !test.passed() && test.verdict != Verdict::not_run && test.verdict != Verdict::not_started;
    if (!failed || &test == shown) continue;
    const std::string reason = test.reason.size() > kMost ? test.reason.substr(0, kMost) + "..." : test.reason;
    std::printf("%s%s  %s%s%s\n", first ? "\n" : "", test.name.c_str(), coloured(test.verdict).c_str(), where(test, workspace).c_str(),
                reason.empty() ? "" : (": " + reason).c_str());
    first = false;
  }
}

}  // namespace

std::string in_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

std::string indented(std::string text, const Workspace& workspace) {
  const std::string root = workspace.root.generic_string() + "/";
  for (std::size_t at; (at = text.find(root)) != std::string::npos;) text.erase(at, root.size());
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) result += (line.empty() ? "" : "    " + line) + "\n";
  return result;
}

void print_failure(const TestResult& test, const Workspace& workspace, const std::string& file) {
  std::printf("%s  %s%s", bold(test.name).c_str(), coloured(test.verdict).c_str(), where(test, workspace).c_str());
  if (!test.reason.empty() && test.verdict != Verdict::not_started) std::printf(": %s", test.reason.c_str());
  std::string output;  // without lines that repeat another one or the line above
  std::set<std::string> printed = {std::string(name_of(test.verdict)) + ": " + test.reason};
  std::istringstream lines(readable_output(test.output, file));
  for (std::string line; std::getline(lines, line);) {
    const bool may_occur_once = line.starts_with("rule: ") || line.starts_with("hang: ");
    if (!may_occur_once || printed.insert(line).second) output += line + "\n";
  }
  std::printf("\n%s", indented(output, workspace).c_str());
}

void print_lab(const LabResult& lab, const Report& report, const Workspace& workspace) {
  std::printf("\n");
  if (!lab.tests.empty()) print_table(lab, workspace);
  std::printf("%s  %s  %s\n", bold(heading(lab)).c_str(), score(lab).c_str(), dim(in_seconds(lab.seconds)).c_str());
  if (lab.hidden > 0) std::printf("and up to %d points by tests that this copy of the course does not have\n", lab.hidden);
  if (const std::string line = own_chain_line(lab, report, workspace); !line.empty()) std::printf("%s\n", line.c_str());
  if (lab.problem != Problem::none) {
    std::printf("\n%s", indented(lab.problem_text, workspace).c_str());
  } else if (const TestResult* failure = failure_to_show(lab)) {
    std::printf("\n");
    print_failure(*failure, workspace, lab.file);
    // It crashed
    if (failure->verdict != Verdict::not_started && failure->output.find("story: read: ") == std::string::npos) {
      const std::vector<std::string> row = handout_row(read_text(workspace.root / lab.name / "README.md"), failure->name);
      if (row.size() > 1) std::printf("    read: %s/README.md#what-failing-tests-mean; look at %s\n", lab.name.c_str(), row[1].c_str());
    }
    if (failure->verdict != Verdict::not_started && failure->verdict != Verdict::grader_error) {
      std::printf("    replay: %s\n", replay_of(*failure, lab, report, workspace).c_str());
    }
  }
  print_other_failures(lab, workspace);
  if (!lab.full() && !lab.log.empty()) std::printf("\nComplete log: %s\n", workspace.shown(lab.log).c_str());
  const std::string next = next_step(lab, report, workspace);
  if (!next.empty()) std::printf("Next: %s\n", next.c_str());
  std::fflush(stdout);
}

void print_summary(const Report& report) {
  std::printf("\n");
  int earned = 0;
  int possible = 0;
  double seconds = 0;
  for (const LabResult& lab : report.labs) {
    std::printf("%s  %s  %s\n", padded(heading(lab), 24).c_str(), score(lab).c_str(), dim(in_seconds(lab.seconds)).c_str());
    earned += lab.earned();
    possible += lab.possible();
    seconds += lab.seconds;
  }
  std::printf("%s  %d/%d  %s\n", padded("all", 24).c_str(), earned, possible, in_seconds(seconds).c_str());
  std::fflush(stdout);
}

void print_stage(const StageResult& stage, const Workspace& workspace) {
  constexpr std::size_t kNamed = 20;
  const std::string all = std::to_string(stage.passed + stage.failures.size());
  std::printf("%s %s  %s of %s  built in %s, tested in %s%s\n", padded(stage.name, 10).c_str(),
              stage.failures.empty() ? green("ok  ").c_str() : red("FAIL").c_str(), std::to_string(stage.passed).c_str(),
              all.c_str(), in_seconds(stage.build_seconds).c_str(), in_seconds(stage.test_seconds).c_str(),
              stage.notes.empty() ? "" : ("  (" + stage.notes + ")").c_str());
  if (!stage.failures.empty()) {
    std::printf("\n");
    print_failure(stage.failures.front(), workspace);
    for (std::size_t i = 1; i < stage.failures.size() && i < kNamed; ++i) {
      const TestResult& failure = stage.failures[i];
      const std::string reason = failure.reason.substr(0, failure.reason.find('\n'));
      std::printf("%s  %s%s%s\n", failure.name.c_str(), coloured(failure.verdict).c_str(), reason.empty() ? "" : ": ", reason.c_str());
    }
    if (stage.failures.size() > kNamed) std::printf("and %zu more\n", stage.failures.size() - kNamed);
    std::printf("Complete log: %s\n\n", workspace.shown(stage.log).c_str());
  }
  std::fflush(stdout);
}

void print_suite(const SuiteReport& report) {
  std::printf("\nstage        passed  failed      time\n");
  const auto line = [](const std::string& name, std::size_t passed, std::size_t failed, double time) {
    std::printf("%s %8zu %7zu %9s\n", padded(name, 10).c_str(), passed, failed, in_seconds(time).c_str());
  };
  std::printf("%s %26s\n", padded("set-up", 10).c_str(), in_seconds(report.set_up_seconds).c_str());
  for (const StageResult& stage : report.stages) {
    line(stage.name, stage.passed, stage.failures.size(), stage.build_seconds + stage.test_seconds);
  }
  line("all", report.passed(), report.failed(), report.seconds);
  std::printf("\n");
  if (!report.left_out.empty()) {
    std::string left;
    for (const std::string& one : report.left_out) left += (left.empty() ? "" : "; ") + one;
    std::printf("left to ./lab test --all: %s\n", left.c_str());
  }
  if (report.interrupted) std::printf("interrupted: these are the results so far\n");
  std::printf("%zu passed, %zu failed\n", report.passed(), report.failed());
  std::fflush(stdout);
}

}  // namespace grader
