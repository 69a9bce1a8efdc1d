// Prints a report on the console.
#pragma once

#include <string>

#include "model.h"
#include "workspace.h"

namespace grader {

// Prints the table of one lab, its first failure, and what to do next.
void print_lab(const LabResult& lab, const Report& report, const Workspace& workspace);

// Prints one line per lab, and the sum. For more than one lab.
void print_summary(const Report& report);

// Prints one line for a stage of `lab test`, and its first failure.
void print_stage(const StageResult& stage, const Workspace& workspace);

// Prints all stages, and the closing line "123 passed, 0 failed".
void print_suite(const SuiteReport& report);

// Prints name, verdict and output of one failed test. `file` is the one under test; lines about it are first.
void print_failure(const TestResult& test, const Workspace& workspace, const std::string& file = "");

// Returns the text with four spaces before each line; paths of the checkout are shortened.
std::string indented(std::string text, const Workspace& workspace);

// Returns the text padded with spaces to `width` columns.
std::string padded(const std::string& text, std::size_t width);

// Returns "1.4 s".
std::string in_seconds(double seconds);

}  // namespace grader
