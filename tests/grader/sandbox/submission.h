// Finds submissions in folders and archives, and extracts only the students' files from them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sandbox.h"
#include "workspace.h"

namespace grader {

// One student's work, named after its folder or archive.
struct Submission {
  std::string name;
  std::filesystem::path source;
};

// Finds the submissions in the paths, in alphabetical order. Each path is one submission or a class (a folder of
// submissions). Throws UsageError if a path is missing or empty. A duplicate name gets its archive's suffix or a
// number. Sets `left_out` to the entries of the class folder that are not submissions.
std::vector<Submission> find_submissions(const std::vector<std::string>& paths, const std::vector<Lab>& labs,
                                         std::vector<std::string>* left_out = nullptr);

struct Collected {
  std::map<int, std::filesystem::path> files;  // by the lab's number
  std::vector<std::string> notes;              // what was rejected, and the reason
};

// Copies the student's files to `into`/labNN_x/x.cpp. Takes the least deeply nested file of each lab. Skips folders
// named `solutions` unless they are the submission itself. Rejects links, devices and files over 1 MB. Unpacks an
// archive in the sandbox; rejects it if it is too large, has too many entries, absolute names or `..`.
Collected collect(const Submission& submission, const std::vector<Lab>& labs, const Sandbox& sandbox,
                  const std::filesystem::path& into);

}  // namespace grader
