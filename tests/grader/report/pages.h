// The HTML pages of a class report: one for each student, one for the class, one for a comparison. See html.h.
#pragma once

#include <map>
#include <string>

#include "results.h"

namespace grader {

struct StudentPage {
  const ClassReport& report;  // how it was graded
  const Grade& grade;
  std::filesystem::path root;                 // root of the checkout; paths below it are shortened
  std::map<int, std::string> files = {};      // the submitted files, by lab number
  std::map<int, std::string> solutions = {};  // shown next to the submitted files; empty: not shown
};
std::string html_of(const StudentPage& page);

// Returns the page of the class. Its links point to students/FILE_STEM.html.
std::string html_of(const ClassReport& report);

// Returns the cell of a lab in a table: "96", "does not compile".
std::string html_score(const LabResult& lab);

}  // namespace grader
