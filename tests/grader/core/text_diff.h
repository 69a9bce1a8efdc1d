// What differs between two texts, line by line.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct DiffLine {
  char mark = ' ';  // ' ' in both, '-' only in the first, '+' only in the second
  std::string text;
};

// All lines of both, in order, with as many as possible in both. For files of some hundred lines.
std::vector<DiffLine> compare_lines(const std::string& first, const std::string& second);

// One line of two texts beside each other: a line that was changed stands beside what it became.
struct DiffRow {
  std::size_t first = 0, second = 0;  // the lines' numbers, from 1; 0: this side has none
  std::string left, right;
  bool same = false;
};
std::vector<DiffRow> side_by_side(const std::string& first, const std::string& second);

// A stranger's text, cut so that comparing it takes little time and memory; says what is left out.
std::string bounded_lines(const std::string& text);

// As `diff -u` writes it, with three lines of context. Empty when the texts are the same.
std::vector<std::string> unified_diff(const std::string& first, const std::string& second, const std::string& first_name,
                                      const std::string& second_name);

}  // namespace grader
