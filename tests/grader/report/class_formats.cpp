// Formats of a class report: console, CSV, JUnit.
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "console.h"
#include "html.h"
#include "points.h"
#include "progress.h"
#include "results.h"

namespace grader {

namespace {

std::string score_of(const LabResult& lab) {
  if (lab.problem == Problem::missing) return "-";
  if (lab.problem == Problem::build) return "build";
  if (lab.problem == Problem::grader) return "error";
  return std::to_string(lab.earned());
}

// Returns a CSV cell. Spreadsheets interpret a cell with such a first character as a formula.
std::string csv_cell(const std::string& text) {
  std::string cell = plain_line(text, 1000);
  if (!cell.empty() && std::string("=+-@").find(cell[0]) != std::string::npos && cell != "-") cell.insert(0, "'");
  if (cell.find_first_of(",\"'") == std::string::npos) return cell;
  for (std::size_t at = 0; (at = cell.find('"', at)) != std::string::npos; at += 2) cell.insert(at, "\"");
  return "\"" + cell + "\"";
}

// Escapes text for XML as for HTML. In an attribute, a raw line end would be lost.
std::string xml(const std::string& text) {
  std::string result = html(text, std::string::npos);
  for (std::size_t at = 0; (at = result.find('\n', at)) != std::string::npos; at += 5) result.replace(at, 1, "&#10;");
  return result;
}

// Returns the width on a terminal; Hangul, kanji and similar characters take two columns.
std::size_t columns(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    const bool wide = (byte >= 0xe3 && byte <= 0xed) || byte == 0xef || byte >= 0xf0;
    count += wide ? 2 : byte >> 6 == 2 ? 0 : 1;
  }
  return count;
}

std::string right(const std::string& text, std::size_t width) { return std::string(width > text.size() ? width - text.size() : 0, ' ') + text; }

}  // namespace

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width > columns(text) ? width - columns(text) : 0, ' ');
}

std::string plain_line(const std::string& text, std::size_t most) {
  std::string line;
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    const bool within = byte >> 6 == 2 && line.size() < most + 3;  // does not split a character of several bytes
    if (line.size() >= most && !within) return line + "...";
    line += byte < 32 || byte == 127 ? '?' : c;
  }
  return line;
}

std::string to_csv(const ClassReport& report) {
  std::ostringstream out;
  out << "name";
  for (const std::string& lab : report.labs) out << ',' << lab;
  out << ",total,notes\n";
  for (const Grade& grade : report.grades) {
    out << csv_cell(grade.name);
    for (const LabResult& lab : grade.labs) out << ',' << lab.earned();
    std::string notes;
    for (const LabResult& lab : grade.labs) {
      if (lab.problem != Problem::none) notes += lab.name + " " + (lab.problem == Problem::missing ? "not handed in" : lab.problem == Problem::build ? "does not compile" : "grader error") + "; ";
    }
    for (const std::string& note : grade.notes) notes += note + "; ";
    out << ',' << grade.earned() << ',' << csv_cell(notes) << '\n';
  }
  return out.str();
}

std::string to_junit(const ClassReport& report) {
  std::ostringstream out;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"lab grade\">\n";
  for (const Grade& grade : report.grades) {
    for (const LabResult& lab : grade.labs) {
      const std::string suite = xml(grade.name) + "." + lab.name;
      const std::size_t failed = static_cast<std::size_t>(std::count_if(lab.tests.begin(), lab.tests.end(), [](const TestResult& test) { return !test.passed(); }));
      const bool broken = lab.problem != Problem::none;
      out << " <testsuite name=\"" << suite << "\" tests=\"" << (broken ? 1 : lab.tests.size()) << "\" failures=\"" << failed
          << "\" errors=\"" << (broken ? 1 : 0) << "\" time=\"" << lab.seconds << "\">\n";
      if (broken) {
        out << "  <testcase classname=\"" << suite << "\" name=\"build\"><error message=\"" << xml(lab.problem_text) << "\"/></testcase>\n";
      }
      for (const TestResult& test : lab.tests) {
        out << "  <testcase classname=\"" << suite << "\" name=\"" << xml(test.name) << "\" time=\"" << test.seconds << "\"";
        if (test.passed()) {
          out << "/>\n";
        } else {
          out << "><failure type=\"" << name_of(test.verdict) << "\" message=\"" << xml(plain_line(test.reason, 1000)) << "\"/></testcase>\n";
        }
      }
      out << " </testsuite>\n";
    }
  }
  out << "</testsuites>\n";
  return out.str();
}

void print_class(const ClassReport& report) {
  constexpr std::size_t kWidest = 32;
  std::size_t width = 10;
  for (const Grade& grade : report.grades) width = std::max(width, std::min(kWidest, columns(grade.name)));
  std::string head = padded("submission", width);
  for (const std::string& lab : report.labs) head += right(lab.substr(0, 5), 7);
  std::printf("\n%s%s\n", bold(head).c_str(), bold(right("total", 8)).c_str());
  for (const Grade& grade : report.grades) {
    std::string line = padded(plain_line(grade.name, kWidest - 3), width);
    for (const LabResult& lab : grade.labs) {
      const std::string score = right(score_of(lab), 7);
      line += lab.full() ? green(score) : lab.problem == Problem::missing ? dim(score) : red(score);
    }
    std::printf("%s%s\n", line.c_str(), right(std::to_string(grade.earned()), 8).c_str());
  }
  for (const Grade& grade : report.grades) {
    for (const std::string& note : grade.notes) std::printf("note: %s: %s\n", plain_line(grade.name, kWidest).c_str(), plain_line(note).c_str());
  }
  if (!report.complete()) std::printf("not graded yet: %zu\n", report.missing.size());
  std::fflush(stdout);
}

}  // namespace grader
