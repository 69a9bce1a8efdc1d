#include "csv.h"

namespace grader {

std::vector<CsvRow> read_csv(const std::string& text) {
  std::vector<CsvRow> rows;
  std::size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
  while (at < text.size()) {
    rows.emplace_back();
    for (bool more = true; more;) {
      CsvCell cell;
      cell.begin = at;
      if (at < text.size() && text[at] == '"') {
        for (++at; at < text.size(); ++at) {
          if (text[at] == '"' && text.compare(at, 2, "\"\"") != 0) break;
          if (text[at] == '"') ++at;
          cell.text += text[at];
        }
        if (at < text.size()) ++at;
      }
      while (at < text.size() && text[at] != ',' && text[at] != '\n' && text.compare(at, 2, "\r\n") != 0) cell.text += text[at++];
      cell.end = at;
      rows.back().push_back(cell);
      more = at < text.size() && text[at] == ',';
      if (more) ++at;
    }
    if (at < text.size()) at += text[at] == '\r' ? 2 : 1;
  }
  return rows;
}

}  // namespace grader
