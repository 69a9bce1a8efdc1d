#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "html.h"
#include "pages.h"
#include "points.h"

namespace grader {

namespace {

std::string one_digit(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string link(const std::string& name) { return "<a href=\"students/" + file_stem(name) + ".html\">" + html(name, 60) + "</a>"; }

std::string cell(const LabResult& lab) {
  const std::string note = lab.problem == Problem::missing ? "-" : lab.problem == Problem::build ? "build" : lab.problem == Problem::grader ? "error" : std::to_string(lab.earned());
  return element("td", std::string("n ") + (lab.full() ? "full" : lab.problem == Problem::missing ? "dim" : lab.earned() > 0 ? "part" : "none"), note);
}

double mean(const std::vector<int>& points) {
  double sum = 0;
  for (const int one : points) sum += one;
  return points.empty() ? 0 : sum / static_cast<double>(points.size());
}

double median(std::vector<int> points) {
  if (points.empty()) return 0;
  std::sort(points.begin(), points.end());
  return (points[(points.size() - 1) / 2] + points[points.size() / 2]) / 2.0;
}

std::string points_table(const ClassReport& report) {
  std::string head = "<th>submission</th>", rows;
  for (const std::string& lab : report.labs) head += element("th", "n", html(lab.substr(0, 5)));
  std::vector<std::vector<int>> points(report.labs.size() + 1);  // those that were submitted; the last element: totals
  for (const Grade& grade : report.grades) {
    const bool any = std::any_of(grade.labs.begin(), grade.labs.end(), [](const LabResult& lab) { return lab.problem != Problem::missing; });
    rows += "<tr>" + element("td", "name", link(grade.name));
    for (std::size_t i = 0; i < grade.labs.size() && i < report.labs.size(); ++i) {
      rows += cell(grade.labs[i]);
      if (grade.labs[i].problem != Problem::missing && grade.labs[i].problem != Problem::grader) points[i].push_back(grade.labs[i].earned());
    }
    rows += element("td", "n", "<b>" + std::to_string(grade.earned()) + "</b>") + "</tr>\n";
    if (any) points.back().push_back(grade.earned());
  }
  std::string means = "<th>mean of those handed in</th>", medians = "<th>median</th>", counts = "<th>handed in</th>";
  for (const std::vector<int>& of_lab : points) {
    means += element("td", "n", of_lab.empty() ? "-" : one_digit(mean(of_lab)));
    medians += element("td", "n", of_lab.empty() ? "-" : one_digit(median(of_lab)));
    counts += element("td", "n", std::to_string(of_lab.size()));
  }
  return "<div class=\"wide\"><table><thead><tr>" + head + "<th class=\"n\">total</th></tr></thead>\n<tbody>\n" + rows + "</tbody>\n<tfoot><tr>" + means + "</tr><tr>" + medians +
         "</tr><tr>" + counts + "</tr></tfoot></table></div>\n";
}

// Counts what is missed, and by which students. The most often missed is first.
class Missed {
 public:
  void add(const std::string& what, const std::string& who, const std::string& how, const std::string& example = "") {
    who_[what].insert(who);
    ++how_[what][how];
    example_.emplace(what, example);
  }
  bool empty() const { return who_.empty(); }
  // Returns the table. `of`: number of students who could miss it.
  std::string table(const std::string& title, const std::string& detail, const std::map<std::string, std::size_t>& of) const {
    constexpr std::size_t kMost = 20, kMostWays = 3;
    std::vector<std::string> order;
    for (const auto& one : who_) order.push_back(one.first);
    std::stable_sort(order.begin(), order.end(), [&](const std::string& a, const std::string& b) { return who_.at(a).size() > who_.at(b).size(); });
    std::string rows;
    for (std::size_t i = 0; i < std::min(order.size(), kMost); ++i) {
      std::string hows;
      std::size_t ways = 0;
      for (const auto& how : how_.at(order[i])) {
        if (++ways <= kMostWays) hows += (hows.empty() ? "" : ", ") + html(how.first, 60) + (how.second > 1 ? " x" + std::to_string(how.second) : "");
      }
      if (ways > kMostWays) hows += " and " + std::to_string(ways - kMostWays) + " more";
      const auto all = of.find(order[i]);
      rows += "<tr>" + element("td", "n", std::to_string(who_.at(order[i]).size()) + (all == of.end() ? "" : " of " + std::to_string(all->second))) +
              element("td", "name", html(order[i], 100) + (example_.at(order[i]).empty() ? "" : "<br><small>" + html(example_.at(order[i]), 200) + "</small>")) + element("td", "name dim", hows) + "</tr>\n";
    }
    const std::string more = order.size() > kMost ? element("p", "dim", std::to_string(order.size() - kMost) + " more are missed by fewer students.") : "";
    return "<div class=\"wide\"><table><thead><tr><th class=\"n\">students</th><th>" + title + "</th><th>" + detail + "</th></tr></thead><tbody>\n" + rows + "</tbody></table></div>" + more + "\n";
  }

 private:
  std::map<std::string, std::set<std::string>> who_;
  std::map<std::string, std::map<std::string, std::size_t>> how_;
  std::map<std::string, std::string> example_;  // the first
};

std::string missed_of(const ClassReport& report) {
  Missed rules, tests;
  std::map<std::string, std::size_t> taken;
  for (const Grade& grade : report.grades) {
    for (const LabResult& lab : grade.labs) {
      for (const TestResult& test : lab.tests) {
        ++taken[test.name];
        if (test.passed()) continue;
        tests.add(test.name, grade.name, name_of(test.verdict));
        if (!test.rule.empty()) rules.add(test.rule, grade.name, test.name, test.reason);
      }
    }
  }
  return "<h2>Rules that are missed most</h2>\n" + (rules.empty() ? "<p>No rule was broken.</p>\n" : rules.table("rule", "found by", {})) +
         "<h2>Tests that are missed most</h2>\n" + (tests.empty() ? "<p>Every test passed.</p>\n" : tests.table("test", "verdicts", taken));
}

std::string similar_files_of(const ClassReport& report) {
  std::string body = "<h2>Suspiciously similar</h2>\n";
  if (report.similar.empty()) return body + "<p>No two files of one lab are similar.</p>\n";
  std::string rows;
  for (const SimilarSubmissions& pair : report.similar) {
    rows += "<tr>" + element("td", "n", std::to_string(static_cast<int>(pair.share * 100 + .5)) + " %") + element("td", "", html(pair.lab, 40)) +
            element("td", "name", link(pair.first)) + element("td", "name", link(pair.second)) + "</tr>\n";
  }
  return body +
         "<p class=\"dim\">The share of the smaller file that the other one contains. Names, comments, layout and "
         "given code are ignored. This is a reason to look, not a proof: "
         "<code>lab compare A B</code> shows both.</p>\n<div class=\"wide\"><table><thead><tr><th "
         "class=\"n\">share</th><th>lab</th><th></th><th></th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

}  // namespace

std::string html_of(const ClassReport& report) {
  std::string body = "<h1>The IOCP lab: " + std::to_string(report.grades.size()) + " submissions</h1>\n<p class=\"dim\">Platform " + html(report.platform, 20) +
                     (report.seed.empty() ? "" : ", seed " + html(report.seed, 40)) + ". Sandbox: " + html(report.sandbox, 300) + ".</p>\n";
  if (!report.complete())
    body += "<p class=\"warn\">Not graded yet: " + std::to_string(report.missing.size()) +
            ". Run the same command again to continue.</p>\n";
  body += points_table(report) + missed_of(report) + similar_files_of(report);
  std::string notes;
  for (const Grade& grade : report.grades) {
    for (const std::string& note : grade.notes) notes += element("li", "", link(grade.name) + ": " + html(note, 300)) + "\n";
  }
  if (!notes.empty()) body += "<h2>To look at</h2>\n" + element("ul", "", "\n" + notes) + "\n";
  return html_page("The IOCP lab: the class", body);
}

}  // namespace grader
