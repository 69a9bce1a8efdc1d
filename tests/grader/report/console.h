// A report on the console.
#pragma once

#include <string>

#include "model.h"
#include "workspace.h"

namespace grader {

// The table of one lab, the story of its first failure, and what to do next.
void print_lab(const LabResult& lab, const Report& report, const Workspace& workspace);

// One line per lab, and the sum. For more than one lab.
void print_summary(const Report& report);

// One line for a stage of `lab test`, and its first failure.
void print_stage(const StageResult& stage, const Workspace& workspace);

// All stages, and the closing line "123 passed, 0 failed".
void print_suite(const SuiteReport& report);

// Name, verdict and story of one failed test. `file` is the one under test; what is said of it comes first.
void print_failure(const TestResult& test, const Workspace& workspace, const std::string& file = "");

// The text with four spaces before each line; paths of the checkout made short.
std::string indented(std::string text, const Workspace& workspace);

// The text with blanks behind it, so that it is `width` columns wide.
std::string padded(const std::string& text, std::size_t width);

// "1.4 s"
std::string in_seconds(double seconds);

}  // namespace grader
