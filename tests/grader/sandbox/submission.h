// What was handed in: finds submissions in folders and archives, and takes the student's files out of them, no more.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sandbox.h"
#include "workspace.h"

namespace grader {

// One student's work. The name is that of its folder or archive.
struct Submission {
  std::string name;
  std::filesystem::path source;
};

// The submissions that the paths name: each is one, or a class (a folder of them), in alphabetical order.
// Throws UsageError when a path is not there or has nothing in it. A name that occurs twice gets the end of its
// archive, or a number. `left_out`: what lies in a class and is no submission.
std::vector<Submission> find_submissions(const std::vector<std::string>& paths, const std::vector<Lab>& labs,
                                         std::vector<std::string>* left_out = nullptr);

struct Collected {
  std::map<int, std::filesystem::path> files;  // by the lab's number
  std::vector<std::string> notes;              // what was refused, and why
};

// Copies the student's files into `into`/labNN_x/x.cpp. A file is taken where it lies least deep; folders named
// `solutions` are left out unless they are the submission itself. Links, devices and files over 1 MB are refused.
// An archive is unpacked in the sandbox; one that is too large, has too many entries, absolute names or `..` is refused.
Collected collect(const Submission& submission, const std::vector<Lab>& labs, const Sandbox& sandbox,
                  const std::filesystem::path& into);

}  // namespace grader
