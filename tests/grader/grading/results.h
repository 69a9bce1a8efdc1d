// The result of `lab grade`: one model. results.json keeps it; every other face is made from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "workspace.h"

namespace grader {

struct Grade {
  std::string name;
  std::string key;                 // hash of all that it depends on: a grade with the same key need not be taken again
  std::vector<std::string> notes;  // what was refused, what somebody should look at
  std::vector<LabResult> labs;
  double seconds = 0;          // by the clock
  double compile_seconds = 0;  // of these

  int earned() const {
    int sum = 0;
    for (const LabResult& lab : labs) sum += lab.earned();
    return sum;
  }
};

// Two submissions whose files of one lab are suspiciously alike.
struct Alike {
  std::string first, second;  // their names
  std::string lab;
  double share = 0;           // of what is the smaller one's own
};

struct ClassReport {
  std::string platform, sandbox, seed;
  std::vector<std::string> labs;
  std::vector<Grade> grades;         // finished ones, in the order of the submissions
  std::vector<std::string> missing;  // names of those that are not graded yet
  std::vector<Alike> alike;          // most alike first

  bool complete() const { return missing.empty(); }
  int possible() const;  // of one submission
};

// tests/grader/grading/results.schema.json describes it. Text that is no UTF-8 is made so.
std::string to_json(const ClassReport& report);
std::string to_csv(const ClassReport& report);    // one line a submission; no cell is a formula
std::string to_junit(const ClassReport& report);  // one suite for each submission and lab

// One grade, for going on after an interruption. Nothing when the text is not one.
std::string to_json(const Grade& grade);
std::optional<Grade> grade_from_json(const std::string& text);

// A name for the files of one submission: a stranger's name is no name for a file of ours.
std::string file_stem(const std::string& name);

void print_class(const ClassReport& report);

// A stranger's text for a terminal: one line, no control characters, not endless.
std::string plain_line(const std::string& text, std::size_t most = 200);

// Written beside the file, then put in its place: a reader sees the old one or the new one.
void write_whole(const std::filesystem::path& file, const std::string& text);

// Throws UsageError when it could not be written: said at once, not after the work.
void need_writable(const std::filesystem::path& file);

}  // namespace grader
