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

// As `diff -u` writes it, with three lines of context. Empty when the texts are the same.
std::vector<std::string> unified_diff(const std::string& first, const std::string& second, const std::string& first_name,
                                      const std::string& second_name);

}  // namespace grader
