#include <optional>

#include "failure_summary.h"
#include "console.h"
#include "html.h"
#include "pages.h"
#include "points.h"
#include "timeline_svg.h"

namespace grader {

namespace {

std::string verdict_of(const TestResult& test) {
  const std::string kind = test.passed() ? "good" : test.verdict == Verdict::not_run || test.verdict == Verdict::not_started ? "dim" : "bad";
  return element("span", kind, name_of(test.verdict));
}

std::string entry(const std::string& name, const std::string& inner) { return inner.empty() ? "" : element("dt", "", name) + element("dd", "", inner) + "\n"; }

std::string list_of(const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string items;
  for (const std::string& line : lines) items += element("li", "", html(line, 500));
  return element("ul", "", items);
}

std::string steps_of(const FailureSummary& summary) {
  std::string text;
  for (const std::string& step : summary.steps) text += html(step, 500) + "<br>";
  return text;
}

std::string details_of(const TestResult& original, const LabResult& lab, const StudentPage& page, bool open) {
  TestResult test = original;
  const std::string root = page.root.generic_string() + "/";
  for (std::string* text : {&test.output, &test.reason}) {
    for (std::size_t at; root.size() > 1 && (at = text->find(root)) != std::string::npos;) text->erase(at, root.size());
  }
  const FailureSummary summary = grader::failure_summary_of(test, lab.file, lab.number);
  const std::string expected = html(summary.expected, 1000), observed = html(summary.observed, 1000);
  std::string body = entry("why", test.verdict == Verdict::wrong && !expected.empty() && summary.rule.empty()
                                      ? ""
                                      : html(test.reason, 1000)) +
                     entry("expected", expected) + entry("observed", observed) +
                     entry("rule", summary.rule.empty() ? "" : element("code", "", html(summary.rule, 100))) +
                     entry("steps", steps_of(summary)) + entry("seen", list_of(summary.seen)) +
                     entry("cause", list_of(summary.causes)) + entry("order", list_of(summary.order)) +
                     entry("seed", html(test.seed, 40)) + entry("notes", html(summary.notes, 100)) +
                     entry("read", html(summary.handout, 200)) +
                     entry("replay", summary.replay.empty() ? "" : element("code", "", html(summary.replay, 300)));
  body = element("dl", "", "\n" + body);
  if (!summary.rest.empty()) body += element("pre", "", html(summary.rest));
  if (const std::optional<Timeline> timeline = parse_timeline(test.timeline)) body += html_timeline(*timeline);
  return "<details class=\"card\" id=\"" + html(test.name, 200) + "\"" + std::string(open ? " open" : "") + "><summary><b>" + html(test.name, 200) + "</b> " + verdict_of(test) + "</summary>\n" + body + "</details>\n";
}

bool has_summary(const TestResult& test) { return !test.passed() && test.verdict != Verdict::not_run; }

std::string tests_of(const LabResult& lab) {
  std::string rows;
  for (const TestResult& test : lab.tests) {
    const std::string name = html(test.name, 200);
    rows += "<tr>" + element("td", "n", std::to_string(test.earned()) + "/" + std::to_string(test.points)) +
            element("td", "name", has_summary(test) ? "<a href=\"#" + name + "\">" + name + "</a>" : name) +
            element("td", "", verdict_of(test)) + element("td", "n dim", in_seconds(test.seconds)) + "</tr>\n";
  }
  return "<table><thead><tr><th class=\"n\">points</th><th>test</th><th>verdict</th><th class=\"n\">time</th></tr></thead><tbody>\n" + rows + "</tbody></table>\n";
}

std::string section_of(const LabResult& lab, const StudentPage& page) {
  std::string body = "<h2 id=\"" + lab.name + "\">" + html(lab.name) + " " + html_score(lab) + "</h2>\n";
  if (lab.problem != Problem::none) body += element("pre", "", html(lab.problem_text)) + "\n";
  if (!lab.tests.empty()) body += tests_of(lab);
  bool first = true;
  for (const TestResult& test : lab.tests) {
    if (!has_summary(test)) continue;
    body += details_of(test, lab, page, first);
    first = false;
  }
  const auto file = page.files.find(lab.number), solution = page.solutions.find(lab.number);
  if (file != page.files.end() && solution != page.solutions.end()) {
    body += "<details><summary>" + html(lab.file) + " and the solution, side by side</summary>\n" +
            html_side_by_side(file->second, solution->second, lab.file, "solutions/" + lab.file) + "</details>\n";
  }
  return body;
}

}  // namespace

std::string html_score(const LabResult& lab) {
  switch (lab.problem) {
    case Problem::build: return element("span", "bad", "does not compile");
    case Problem::grader: return element("span", "bad", "grader error");
    case Problem::missing: return element("span", "dim", "not handed in");
    case Problem::none: break;
  }
  return element("span", lab.full() ? "good" : "bad", std::to_string(lab.earned()) + "/" + std::to_string(kPointsPerLab));
}

std::string html_of(const StudentPage& page) {
  const Grade& grade = page.grade;
  std::string body;
  if (!page.solutions.empty()) body += "<p class=\"warn\">For the instructor: this page shows the solutions. <code>lab grade --no-solution-diff</code> makes pages for students. <a href=\"../index.html\">The class</a></p>\n";
  body += element("h1", "", html(grade.name, 100)) + "\n<p><b>" + std::to_string(grade.earned()) + "</b> of " + std::to_string(grade.labs.size() * kPointsPerLab) +
          " points <small>on " + html(page.report.platform, 20) + ", in " + in_seconds(grade.seconds) + (page.report.seed.empty() ? "" : ", seed " + html(page.report.seed, 40)) + "</small></p>\n";
  std::string rows;
  for (const LabResult& lab : grade.labs) rows += "<tr><td><a href=\"#" + lab.name + "\">" + html(lab.name) + "</a></td>" + element("td", "n", html_score(lab)) + "</tr>\n";
  body += "<table><tbody>\n" + rows + "</tbody></table>\n";
  if (!grade.notes.empty()) body += "<h2>To look at</h2>\n" + list_of(grade.notes) + "\n";
  for (const LabResult& lab : grade.labs) body += section_of(lab, page);
  body += "<p><small>Sandbox: " + html(page.report.sandbox, 300) + "</small></p>\n";
  return html_page(plain_line(grade.name, 80) + ": the IOCP lab", body);
}

}  // namespace grader
