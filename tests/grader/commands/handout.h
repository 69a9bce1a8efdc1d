// What students get: the course without what gives the answers away.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "points.h"
#include "workspace.h"

namespace grader {

// `file` is relative to the root, with slashes.
bool is_for_students(const std::string& file);

// The files of the course, relative to the root: those that git knows, or all of them where there is no git.
std::vector<std::string> files_of_course(const Workspace& workspace);
std::vector<std::string> files_for_students(const Workspace& workspace);

// A test's source without the test Suite.Name, and the comment right above it. Throws GraderError when it is not there.
std::string without_test(const std::string& source, const std::string& name);

// A lab's handout without the row of its table that is about this test.
std::string without_row(const std::string& text, const std::string& name);

// tests/points.json without the hidden tests; each lab says how many points they have.
std::string points_for_students(const std::string& json);

// tests/evidence.json without the entry of this test.
std::string without_evidence(const std::string& json, const std::string& name);

// A text without the lines that have the mark <!-- instructor -->. A heading with it goes with all that is below it.
std::string text_for_students(const std::string& text);

}  // namespace grader
