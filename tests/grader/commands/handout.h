// The students' copy of the course: without anything that reveals the answers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "points.h"
#include "workspace.h"

namespace grader {

// Returns whether students get the file. `file` is relative to the root, with slashes.
bool is_for_students(const std::string& file);

// Returns the files of the course, relative to the root: those that git tracks, or all of them without git.
std::vector<std::string> files_of_course(const Workspace& workspace);
std::vector<std::string> files_for_students(const Workspace& workspace);

// Returns a test's source without the test Suite.Name and the comment directly above it. Throws GraderError if it is
// not found.
std::string without_test(const std::string& source, const std::string& name);

// Returns a lab's handout without the table row for this test.
std::string without_row(const std::string& text, const std::string& name);

// Returns tests/points.json without the hidden tests; each lab states their points.
std::string points_for_students(const std::string& json);

// Returns tests/evidence.json without the entry of this test.
std::string without_evidence(const std::string& json, const std::string& name);

// Returns a text without the lines that contain the mark <!-- instructor -->. A marked heading is removed with its
// section.
std::string text_for_students(const std::string& text);

}  // namespace grader
