#include "text_diff.h"

#include <algorithm>
#include <cstdint>
#include <sstream>

namespace grader {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

// Returns "-3,7": the first line of a part and its number of lines. A part without lines is given by the line before
// it.
std::string range(char mark, std::size_t begin, std::size_t count) {
  return mark + std::to_string(count == 0 ? begin : begin + 1) + "," + std::to_string(count);
}

}  // namespace

std::vector<DiffLine> compare_lines(const std::string& first, const std::string& second) {
  const std::vector<std::string> a = lines_of(first), b = lines_of(second);
  // common[i][j]: how many lines a[i..] and b[j..] can have in common
  std::vector<std::vector<std::uint32_t>> common(a.size() + 1, std::vector<std::uint32_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<DiffLine> lines;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      lines.push_back({' ', a[i++]});
      ++j;
    } else if (i < a.size() && (j == b.size() || common[i + 1][j] >= common[i][j + 1])) {
      lines.push_back({'-', a[i++]});
    } else {
      lines.push_back({'+', b[j++]});
    }
  }
  return lines;
}

std::vector<DiffRow> side_by_side(const std::string& first, const std::string& second) {
  std::vector<DiffRow> rows;
  std::vector<DiffRow> part;                      // lines that differ
  std::size_t a = 0, b = 0, left = 0, right = 0;  // lines so far, and the filled rows of `part`, per side
  const auto row = [&](std::size_t i) -> DiffRow& {
    if (i == part.size()) part.emplace_back();
    return part[i];
  };
  const auto end_part = [&] {
    rows.insert(rows.end(), part.begin(), part.end());
    part.clear();
    left = right = 0;
  };
  for (const DiffLine& line : compare_lines(first, second)) {
    if (line.mark == ' ') {
      end_part();
      rows.push_back({++a, ++b, line.text, line.text, true});
    } else if (line.mark == '-') {
      DiffRow& mine = row(left++);
      mine.first = ++a;
      mine.left = line.text;
    } else {
      DiffRow& mine = row(right++);
      mine.second = ++b;
      mine.right = line.text;
    }
  }
  end_part();
  return rows;
}

std::string bounded_lines(const std::string& text) {
  constexpr std::size_t kMostLines = 2000, kWidest = 400;
  const std::vector<std::string> lines = lines_of(text);
  std::string result;
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
    result += lines[i].size() > kWidest ? lines[i].substr(0, kWidest) + " ..." : lines[i];
    result += '\n';
  }
  if (lines.size() > kMostLines) result += "... " + std::to_string(lines.size() - kMostLines) + " more lines ...\n";
  return result;
}

std::vector<std::string> unified_diff(const std::string& first, const std::string& second, const std::string& first_name,
                                      const std::string& second_name) {
  constexpr std::size_t kContext = 3;
  const std::vector<DiffLine> lines = compare_lines(first, second);
  std::vector<bool> shown(lines.size(), false);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].mark == ' ') continue;
    const std::size_t begin = i < kContext ? 0 : i - kContext;
    std::fill(shown.begin() + begin, shown.begin() + std::min(lines.size(), i + kContext + 1), true);
  }
  std::vector<std::string> result;
  std::size_t a = 0, b = 0;  // lines of each text before this one
  for (std::size_t i = 0; i < lines.size();) {
    if (!shown[i]) {  // then it is in both texts
      ++i, ++a, ++b;
      continue;
    }
    if (result.empty()) result = {"--- " + first_name, "+++ " + second_name};
    const std::size_t a_begin = a, b_begin = b, head = result.size();
    result.emplace_back();
    for (; i < lines.size() && shown[i]; ++i) {
      a += lines[i].mark != '+';
      b += lines[i].mark != '-';
      result.push_back(lines[i].mark + lines[i].text);
    }
    result[head] = "@@ " + range('-', a_begin, a - a_begin) + " " + range('+', b_begin, b - b_begin) + " @@";
  }
  return result;
}

}  // namespace grader
