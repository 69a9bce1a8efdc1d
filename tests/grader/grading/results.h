// The result of `lab grade`: one model. results.json stores it; every other format is generated from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "workspace.h"

namespace grader {

struct Grade {
  std::string name;
  std::string key;                 // hash of everything that it depends on: a grade with the same key is reused
  std::vector<std::string> notes;  // what was rejected, and what the instructor should look at
  std::vector<LabResult> labs;
  double seconds = 0;          // wall-clock time
  double compile_seconds = 0;  // part of `seconds`

  int earned() const {
    int sum = 0;
    for (const LabResult& lab : labs) sum += lab.earned();
    return sum;
  }
};

// Two submissions whose files of one lab are suspiciously similar.
struct SimilarSubmissions {
  std::string first, second;  // their names
  std::string lab;
  double share = 0;  // fraction of the smaller file, without common code
};

struct ClassReport {
  std::string platform, sandbox, seed;
  std::vector<std::string> labs;
  std::vector<Grade> grades;                // completed ones, in the order of the submissions
  std::vector<std::string> missing;         // names of the submissions that are not graded yet
  std::vector<SimilarSubmissions> similar;  // most similar first

  bool complete() const { return missing.empty(); }
  int possible() const;  // of one submission
};

// Returns JSON as described by tests/grader/grading/results.schema.json. Text that is not UTF-8 is converted.
std::string to_json(const ClassReport& report);
std::string to_csv(const ClassReport& report);    // one line per submission; no cell is a formula
std::string to_junit(const ClassReport& report);  // one suite per submission and lab

// One grade, to resume after an interruption. Reading returns nullopt if the text is not a grade.
std::string to_json(const Grade& grade);
std::optional<Grade> grade_from_json(const std::string& text);

// Returns a file name for one submission. Untrusted names are never used as file names.
std::string file_stem(const std::string& name);

void print_class(const ClassReport& report);

// Converts untrusted text for a terminal: one line of bounded length without control characters.
std::string plain_line(const std::string& text, std::size_t most = 200);

// Replaces a file atomically: a reader sees the old version or the new one.
void write_whole(const std::filesystem::path& file, const std::string& text);

// Throws UsageError if the file cannot be written. Called before the work, not after it.
void need_writable(const std::filesystem::path& file);

}  // namespace grader
