// Reads CSV as spreadsheets and Canvas write it, and changes single cells without changing any other byte.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct CsvCell {
  std::string text;                // without its quotes
  std::size_t begin = 0, end = 0;  // its bytes in the file, including the quotes
};
using CsvRow = std::vector<CsvCell>;

// Parses the rows. Quoted cells may contain commas, quotes and line ends. A line ends with LF or CRLF. A byte order
// mark is skipped.
std::vector<CsvRow> read_csv(const std::string& text);

}  // namespace grader
