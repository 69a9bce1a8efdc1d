// Compares two texts line by line.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct DiffLine {
  char mark = ' ';  // ' ' in both, '-' only in the first, '+' only in the second
  std::string text;
};

// Returns all lines of both texts, in order, with as many common lines as possible. For files of some hundred lines.
std::vector<DiffLine> compare_lines(const std::string& first, const std::string& second);

// One row of a side-by-side view: a changed line is shown next to its new version.
struct DiffRow {
  std::size_t first = 0, second = 0;  // line numbers, from 1; 0: no line on this side
  std::string left, right;
  bool same = false;
};
std::vector<DiffRow> side_by_side(const std::string& first, const std::string& second);

// Truncates untrusted text, so that comparing it takes little time and memory. Says what is left out.
std::string bounded_lines(const std::string& text);

// Returns the differences as `diff -u` does, with three lines of context, or an empty vector if the texts are equal.
std::vector<std::string> unified_diff(const std::string& first, const std::string& second, const std::string& first_name,
                                      const std::string& second_name);

}  // namespace grader
