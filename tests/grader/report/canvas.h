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

// Throws UsageError when it is no gradebook: it must have the columns Student and ID, and a row "Points Possible".
Gradebook read_gradebook(const std::string& text);

struct FilledGradebook {
  std::string csv;                 // the same bytes, but for the cells that are filled
  std::size_t cells = 0;
  std::vector<std::string> notes;  // what was not filled, and why
};

// The points of a lab go to the column "Lab 3 (12345)" (also "lab03: overlapped (12345)"), scaled to its Points Possible.
// A submission belongs to the student whose ID is in a name as Canvas gives it to downloads ("lastfirst_ID_67890_file"),
// or whose login, ID or SIS ID is its whole name. Where two could be meant, nothing is filled. A lab that was not handed
// in leaves its cell as it is; one that does not compile is 0.
FilledGradebook fill(const Gradebook& gradebook, const ClassReport& report);

}  // namespace grader
