// Fills an exported Canvas gradebook.
#pragma once

#include <string>
#include <vector>

#include "csv.h"
#include "results.h"

namespace grader {

struct Gradebook {
  std::string text;
  std::vector<CsvRow> rows;
};

// Throws UsageError if the text is not a gradebook. It must have the columns Student and ID, and a row "Points
// Possible".
Gradebook read_gradebook(const std::string& text);

struct FilledGradebook {
  std::string csv;  // the same bytes, except for the cells that are filled
  std::size_t cells = 0;
  std::vector<std::string> notes;  // what was not filled, and the reason
};

// Writes the points of a lab to the column "Lab 3 (12345)" (also "lab03: overlapped (12345)"), scaled to its Points
// Possible. A submission belongs to the student whose ID is in its name as Canvas names downloads
// ("lastfirst_ID_67890_file"), or whose login, ID or SIS ID is its complete name. If two students match, nothing is
// filled. A lab that was not submitted leaves its cell unchanged; one that does not compile is 0.
FilledGradebook fill(const Gradebook& gradebook, const ClassReport& report);

}  // namespace grader
