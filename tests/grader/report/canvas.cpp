#include "canvas.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "points.h"

namespace grader {

namespace {

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_number(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

std::string text_of(const CsvRow& row, std::size_t column) { return column < row.size() ? trimmed(row[column].text) : ""; }

std::optional<std::size_t> column_of(const CsvRow& head, const std::string& name) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (lower(trimmed(head[i].text)) == name) return i;
  }
  return std::nullopt;
}

// Returns 3 for "Lab 3 (12345)" and "lab03: overlapped (12345)", or 0. Only assignment names end with an ID in Canvas.
int lab_of_column(const std::string& title) {
  const std::string text = lower(trimmed(title));
  const std::size_t open = text.rfind('(');
  if (!text.starts_with("lab") || open == std::string::npos || text.back() != ')' || !is_number(text.substr(open + 1, text.size() - open - 2))) return 0;
  std::size_t at = text.find_first_not_of(" _-#", 3);
  std::string digits;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) digits += text[at++];
  if (digits.empty() || digits.size() > 3 || (at < text.size() && std::isalpha(static_cast<unsigned char>(text[at])))) return 0;
  return std::stoi(digits);
}

// Returns the ID in "lastfirst_12345_67890_file" and "lastfirst_LATE_12345_67890_file", or an empty string if the name
// has another form.
std::string id_in(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '_') parts.emplace_back();
    else parts.back() += c;
  }
  const std::size_t at = parts.size() > 2 && parts[1] == "LATE" ? 2 : 1;
  return parts.size() > at + 1 && is_number(parts[at]) && is_number(parts[at + 1]) ? parts[at] : "";
}

struct Columns {
  std::size_t student = 0, id = 0;
  std::vector<std::size_t> names;  // complete names that identify the student
  std::map<int, std::vector<std::size_t>> labs;
};

Columns columns_of(const CsvRow& head) {
  Columns columns;
  columns.student = *column_of(head, "student");
  columns.id = *column_of(head, "id");
  for (const std::string name : {"id", "sis user id", "sis login id"}) {
    if (const auto column = column_of(head, name)) columns.names.push_back(*column);
  }
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (const int lab = lab_of_column(head[i].text); lab != 0) columns.labs[lab].push_back(i);
  }
  return columns;
}

// Returns the rows that a submission may belong to.
std::vector<std::size_t> rows_of(const std::string& name, const std::vector<CsvRow>& rows, const Columns& columns) {
  std::vector<std::size_t> found;
  const std::string id = id_in(name);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string own = text_of(rows[i], columns.id);
    if (!is_number(own)) continue;
    const bool whole = std::any_of(columns.names.begin(), columns.names.end(), [&](std::size_t column) {
      const std::string text = text_of(rows[i], column);
      return !text.empty() && lower(text) == lower(name);
    });
    if (whole || (!id.empty() && id == own)) found.push_back(i);
  }
  return found;
}

std::string points_text(double points) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", points);
  std::string result = text;
  result.erase(result.find_last_not_of('0') + 1);
  if (result.back() == '.') result.pop_back();
  return result;
}

}  // namespace

Gradebook read_gradebook(const std::string& text) {
  Gradebook gradebook{text, read_csv(text)};
  if (gradebook.rows.empty() || !column_of(gradebook.rows[0], "student") || !column_of(gradebook.rows[0], "id")) {
    throw UsageError("this is not a gradebook exported from Canvas: its first line must name the columns Student and ID, separated by commas");
  }
  const Columns columns = columns_of(gradebook.rows[0]);
  if (columns.labs.empty()) throw UsageError("the gradebook has no column of a lab; they are found by names like 'Lab 3 (12345)'");
  if (std::none_of(gradebook.rows.begin(), gradebook.rows.end(), [&](const CsvRow& row) { return lower(text_of(row, columns.student)) == "points possible"; })) {
    throw UsageError("the gradebook has no row 'Points Possible'");
  }
  return gradebook;
}

FilledGradebook fill(const Gradebook& gradebook, const ClassReport& report) {
  FilledGradebook filled;
  const std::vector<CsvRow>& rows = gradebook.rows;
  const Columns columns = columns_of(rows[0]);
  const CsvRow& possible = *std::find_if(rows.begin(), rows.end(), [&](const CsvRow& row) { return lower(text_of(row, columns.student)) == "points possible"; });

  std::map<std::size_t, std::vector<const Grade*>> of_row;
  for (const Grade& grade : report.grades) {
    const std::vector<std::size_t> found = rows_of(grade.name, rows, columns);
    if (found.size() == 1) of_row[found[0]].push_back(&grade);
    else filled.notes.push_back("the submission " + grade.name + (found.empty() ? " matches no student in the gradebook" : " may be of " + std::to_string(found.size()) + " students; none is filled"));
  }
  std::set<std::size_t> later;  // an interruption left these ungraded
  for (const std::string& name : report.missing) {
    for (const std::size_t row : rows_of(name, rows, columns)) later.insert(row);
  }
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (is_number(text_of(rows[i], columns.id)) && of_row.count(i) == 0 && later.count(i) == 0) filled.notes.push_back("the student " + text_of(rows[i], columns.student) + " has no submission");
  }

  std::map<std::size_t, std::pair<std::size_t, std::string>> cells;  // by their start position
  for (std::size_t i = 0; i < report.labs.size(); ++i) {
    const int lab = std::stoi(report.labs[i].substr(3, 2));
    const auto column = columns.labs.find(lab);
    if (column == columns.labs.end() || column->second.size() != 1) {
      filled.notes.push_back("lab " + std::to_string(lab) + (column == columns.labs.end() ? " has no column" : " has more than one column") + "; it is not filled");
      continue;
    }
    const double most = std::atof(text_of(possible, column->second[0]).c_str());
    if (most <= 0) {
      filled.notes.push_back("lab " + std::to_string(lab) + " has no Points Possible; it is not filled");
      continue;
    }
    for (const auto& entry : of_row) {
      std::vector<const LabResult*> results;
      for (const Grade* grade : entry.second) {
        for (const LabResult& result : grade->labs) {
          if (result.number == lab && result.problem != Problem::missing) results.push_back(&result);
        }
      }
      const std::string who = text_of(rows[entry.first], columns.student) + ", lab " + std::to_string(lab);
      if (results.empty()) continue;
      const bool broken = results[0]->problem == Problem::grader ||
                          std::any_of(results[0]->tests.begin(), results[0]->tests.end(), [](const TestResult& test) { return test.verdict == Verdict::grader_error; });
      if (results.size() > 1 || broken || column->second[0] >= rows[entry.first].size()) {
        filled.notes.push_back(who + (results.size() > 1 ? " is in more than one submission" : broken ? " could not be graded" : " has no cell") + "; it is not filled");
        continue;
      }
      const CsvCell& cell = rows[entry.first][column->second[0]];
      cells[cell.begin] = {cell.end, points_text(results[0]->earned() * most / kPointsPerLab)};
    }
  }
  std::size_t at = 0;
  for (const auto& cell : cells) {
    filled.csv += gradebook.text.substr(at, cell.first - at) + cell.second.second;
    at = cell.second.first;
  }
  filled.csv += gradebook.text.substr(at);
  filled.cells = cells.size();
  return filled;
}

}  // namespace grader
