// What is known of a student's file: which TODOs are open, and what the last check found.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "workspace.h"

namespace grader {

// Empty when there is no such file.
std::string read_text(const std::filesystem::path& file);

// Sixteen hexadecimal digits. Not against forgers: it only has to see a change.
std::string hash_of(const std::string& text);

// The numbers of the comments "// TODO 3: ..." in a starter, in order.
std::vector<int> todos_in(const std::string& text);

// The TODOs that are not written yet: the file still calls not_started() for them, or a struct is still empty.
std::vector<int> open_todos(const std::string& text);

// The last check of a lab that graded the student's file.
struct SavedResult {
  std::string hash;           // of the file as it was then
  std::string platform;
  int earned = 0;
  int possible = 0;
  bool built = false;
  std::string first_failure;  // a test; empty: none
  std::string verdict;        // of that test
  std::map<std::string, std::string> failed_orders;  // of each test that failed with one: the last, as TestResult::seed

  bool full() const { return built && possible > 0 && earned == possible; }
};

// Into build/results/labNN.json. A result that cannot be kept costs nobody the check, so errors are not reported.
void save_result(const Workspace& workspace, const LabResult& result, const std::string& platform);

// Nothing when there was no check yet, or when its file is damaged.
std::optional<SavedResult> saved_result(const Workspace& workspace, const Lab& lab);

// For the tests (LAB_FIRST): what failed before is played first. "Lab04.SeedsOfLeaving=17;Lab02.X=0/4.1".
std::string orders_to_play_first(const Workspace& workspace, const Lab& lab);

// The test that was shown as failed in the last check, or an empty string if none did. It runs first in the next one.
std::string last_failure(const Workspace& workspace, const Lab& lab);

// The version of the programs that last had full points over the student's own earlier labs, or an empty string if none had.
std::string saved_own_chain(const Workspace& workspace, const Lab& lab);
void save_own_chain(const Workspace& workspace, const Lab& lab, const std::string& version);

// Nothing of it is written yet.
bool is_starter(const std::string& text);

// The starter of a lab, from git or from the copy that was kept; empty: neither has it.
std::string starter_of(const Workspace& workspace, const Lab& lab);

// Keeps a copy of a file that is still the starter, for a checkout without git.
void keep_starter(const Workspace& workspace, const Lab& lab);
std::filesystem::path kept_starter(const Workspace& workspace, const Lab& lab);

}  // namespace grader
