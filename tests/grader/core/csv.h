// Reads CSV as spreadsheets and Canvas write it, and changes single cells without touching a byte beside them.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct CsvCell {
  std::string text;                // without its quotes
  std::size_t begin = 0, end = 0;  // where it stands in the file, with its quotes
};
using CsvRow = std::vector<CsvCell>;

// Quoted cells may hold commas, quotes and line ends. A line ends with LF or CRLF; a mark of UTF-8 in front is no text.
std::vector<CsvRow> read_csv(const std::string& text);

}  // namespace grader
