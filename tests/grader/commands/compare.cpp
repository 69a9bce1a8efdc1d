// `lab compare`: grades two submissions like a class, then shows them side by side.
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "child.h"
#include "console.h"
#include "text_diff.h"
#include "submission_grader.h"
#include "html.h"
#include "pages.h"
#include "points.h"
#include "progress.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostDiff = 200;  // lines of one file on the console

using Measured = std::vector<std::pair<std::string, std::string>>;  // the name of a lab, and its measurements

struct Side {
  Submission submission;
  PrivateFolder folder;  // the collected files and the programs
  std::map<int, std::string> files;
  Grade grade;
};

Submission submission_at(const std::string& path, const Workspace& workspace) {
  if (path == "solution") return {"solution", workspace.root / "solutions"};
  const std::vector<Submission> found = find_submissions({path}, workspace.labs);
  if (found.size() != 1)
    throw UsageError("'" + path + "' is a class of " + std::to_string(found.size()) + " submissions; name one of them");
  return found[0];
}

std::string points_of(const LabResult& lab) {
  switch (lab.problem) {
    case Problem::build: return "build";
    case Problem::grader: return "error";
    case Problem::missing: return "-";
    case Problem::none: break;
  }
  return std::to_string(lab.earned());
}

struct Difference {
  const TestResult* first;
  const TestResult* second;
};

// Returns the tests of one lab that ended differently for the two submissions.
std::vector<Difference> differences(const LabResult& a, const LabResult& b) {
  std::vector<Difference> found;
  for (std::size_t i = 0; i < std::min(a.tests.size(), b.tests.size()); ++i) {
    if (a.tests[i].verdict != b.tests[i].verdict || a.tests[i].rule != b.tests[i].rule) found.push_back({&a.tests[i], &b.tests[i]});
  }
  return found;
}

std::string result_text(const TestResult& test) {
  return std::string(name_of(test.verdict)) + (test.rule.empty() ? "" : ", rule " + plain_line(test.rule, 40)) + (test.reason.empty() ? "" : ": " + plain_line(test.reason, 160));
}

// Returns the output of a sandboxed program as safe text: none of its control characters reach the terminal.
std::string shown(const std::string& output) {
  std::string text;
  std::istringstream lines(output);
  std::string line;
  for (int i = 0; i < 20 && std::getline(lines, line); ++i) text += plain_line(line, 120) + "\n";
  return text;
}

void print_points(const Side& a, const Side& b) {
  const auto name = [](const Side& side) { return plain_line(side.grade.name, 24); };
  std::printf("\n%s\n", bold("lab                        first  second").c_str());
  for (std::size_t i = 0; i < a.grade.labs.size(); ++i) {
    const LabResult &first = a.grade.labs[i], &second = b.grade.labs[i];
    std::printf("%-24s %7s %7s\n", first.name.c_str(), points_of(first).c_str(), points_of(second).c_str());
  }
  std::printf("%-24s %7d %7d\nfirst: %s, second: %s\n", "all", a.grade.earned(), b.grade.earned(),
              name(a).c_str(), name(b).c_str());
}

void print_differences(const LabResult& first, const LabResult& second) {
  for (const Difference& one : differences(first, second)) {
    std::printf("\n%s\n  first   %s\n  second  %s\n", bold(one.first->name).c_str(), result_text(*one.first).c_str(), result_text(*one.second).c_str());
  }
  for (const LabResult* lab : {&first, &second}) {
    if (lab->problem == Problem::build) std::printf("\n%s, %s: %s\n", lab->name.c_str(), lab == &first ? "first" : "second", plain_line(lab->problem_text, 300).c_str());
  }
}

void print_diff(const std::string& file, const std::string& first, const std::string& second) {
  const std::vector<std::string> lines = unified_diff(bounded_lines(first), bounded_lines(second), "first/" + file, "second/" + file);
  std::printf("\n");
  if (lines.empty()) std::printf("%s is identical\n", file.c_str());
  for (std::size_t i = 0; i < std::min(lines.size(), kMostDiff); ++i) {
    std::string line = lines[i];
    std::replace(line.begin(), line.end(), '\t', ' ');
    line = plain_line(line, 400);
    const std::string shown = i < 2 ? bold(line) : line[0] == '-' ? red(line) : line[0] == '+' ? green(line) : line[0] == '@' ? dim(line) : line;
    std::printf("%s\n", shown.c_str());
  }
  if (lines.size() > kMostDiff) std::printf("... %zu more lines; --html shows them\n", lines.size() - kMostDiff);
}

std::string html_of(const Side& a, const Side& b, const Measured& measured) {
  std::string body = "<h1>" + html(a.grade.name, 80) + " and " + html(b.grade.name, 80) + "</h1>\n<div class=\"wide\"><table><thead><tr><th>lab</th><th class=\"n\">first</th>"
                     "<th class=\"n\">second</th></tr></thead><tbody>\n", tests, diffs;
  for (std::size_t i = 0; i < a.grade.labs.size(); ++i) {
    const LabResult &first = a.grade.labs[i], &second = b.grade.labs[i];
    body += "<tr>" + element("td", "", first.name) + element("td", "n", html_score(first)) + element("td", "n", html_score(second)) + "</tr>\n";
    for (const Difference& one : differences(first, second)) {
      tests += "<tr>" + element("td", "name", html(one.first->name, 100)) + element("td", one.first->passed() ? "good" : "bad", html(result_text(*one.first), 400)) +
               element("td", one.second->passed() ? "good" : "bad", html(result_text(*one.second), 400)) + "</tr>\n";
    }
    const auto one = a.files.find(first.number), other = b.files.find(first.number);
    if (one != a.files.end() && other != b.files.end()) {
      diffs += "<h2>" + html(first.file) + "</h2>\n" + html_side_by_side(one->second, other->second, a.grade.name, b.grade.name);
    }
  }
  body += "<tr><td>all</td>" + element("td", "n", std::to_string(a.grade.earned())) + element("td", "n", std::to_string(b.grade.earned())) +
          "</tr>\n</tbody></table></div>\n<h2>Tests that end differently</h2>\n";
  body += tests.empty() ? "<p>None.</p>\n" : "<div class=\"wide\"><table><thead><tr><th>test</th><th>first</th><th>second</th></tr></thead><tbody>\n" + tests + "</tbody></table></div>\n";
  if (!measured.empty()) body += "<h2>Performance</h2>\n";
  for (const auto& [lab, text] : measured) body += element("h3", "", lab) + "<pre>" + html(text, 4000) + "</pre>\n";
  return html_page(plain_line(a.grade.name, 60) + " and " + plain_line(b.grade.name, 60), body + diffs);
}

}  // namespace

int compare(const Workspace& workspace, const CompareOptions& options) {
  workspace.need_solutions("compare");
  if (!options.html.empty()) need_writable(options.html);
  Side sides[2] = {{submission_at(options.first, workspace), {}, {}, {}}, {submission_at(options.second, workspace), {}, {}, {}}};
  if (sides[0].submission.name == sides[1].submission.name) sides[1].submission.name += " (second)";
  Progress progress;
  const bool measures = options.rounds > 0 && workspace.platform(options.platform).name == "linux";  // like `bench N`
  SubmissionGrader grader(workspace, options, progress, measures);
  if (!grader.prepare()) return kExitInterrupted;
  for (Side& side : sides) {
    if (interrupted()) return kExitInterrupted;
    const Collected collected = collect(side.submission, workspace.labs, grader.sandbox(), side.folder.path());
    side.grade = grader.take(side.submission, collected, side.folder.path(), plain_line(side.submission.name, 40));
    side.files = texts_of(collected);
  }
  const std::vector<LabResult>&first = sides[0].grade.labs, &second = sides[1].grade.labs;
  Measured measured;
  for (std::size_t i = 0; measures && i < first.size() && !interrupted(); ++i) {
    if (first[i].problem != Problem::none || second[i].problem != Problem::none) continue;
    progress.phase("measuring " + first[i].name);
    measured.emplace_back(first[i].name, shown(grader.measure(grader.labs()[i], sides[0].folder.path(), sides[1].folder.path(), options.rounds)));
  }
  progress.clear();
  if (interrupted()) return kExitInterrupted;
  print_points(sides[0], sides[1]);
  for (const Side& side : sides) {
    for (const std::string& note : side.grade.notes) std::printf("note: %s: %s\n", plain_line(side.grade.name, 32).c_str(), plain_line(note).c_str());
  }
  for (std::size_t i = 0; i < first.size(); ++i) print_differences(first[i], second[i]);
  for (const auto& [lab, text] : measured) std::printf("\n%s, %s", bold(lab).c_str(), text.c_str());
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto one = sides[0].files.find(first[i].number), other = sides[1].files.find(first[i].number);
    if (one != sides[0].files.end() && other != sides[1].files.end()) print_diff(first[i].file, one->second, other->second);
  }
  if (!options.html.empty()) {
    write_whole(options.html, html_of(sides[0], sides[1], measured));
    std::printf("\nside by side: %s\n", options.html.c_str());
  }
  return kExitFull;
}

}  // namespace grader
