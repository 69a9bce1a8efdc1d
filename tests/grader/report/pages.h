// The HTML faces of a class report: a page for each student, one for the class, one for a comparison. See html.h.
#pragma once

#include <map>
#include <string>

#include "results.h"

namespace grader {

struct StudentPage {
  const ClassReport& report;  // how it was graded
  const Grade& grade;
  std::filesystem::path root;                 // of the checkout; paths in it are made short
  std::map<int, std::string> files = {};      // what was handed in, by the lab's number
  std::map<int, std::string> solutions = {};  // to show beside it; empty: the page does not show them
};
std::string html_of(const StudentPage& page);

// Its links go to students/FILE_STEM.html.
std::string html_of(const ClassReport& report);

// What of a lab to print in a table: "96", "does not compile".
std::string html_score(const LabResult& lab);

}  // namespace grader
