// The state of a student's file: which TODOs are open, and the result of the last check.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "workspace.h"

namespace grader {

// Returns the file's text, or an empty string if there is no such file.
std::string read_text(const std::filesystem::path& file);

// Returns sixteen hexadecimal digits. Not cryptographic; used only to detect changes.
std::string hash_of(const std::string& text);

// Returns the numbers of the comments "// TODO 3: ..." in a starter, in order.
std::vector<int> todos_in(const std::string& text);

// Returns the TODOs that are not written yet: the file still calls not_started() for them, or a struct is still empty.
std::vector<int> open_todos(const std::string& text);

// The last check of a lab that graded the student's file.
struct SavedResult {
  std::string hash;  // of the file at that time
  std::string platform;
  int earned = 0;
  int possible = 0;
  bool built = false;
  std::string first_failure;  // name of a test; empty if there is none
  std::string verdict;        // of that test
  // For each test that failed with an order: the last one, as TestResult::seed
  std::map<std::string, std::string> failed_orders;

  bool full() const { return built && possible > 0 && earned == possible; }
};

// Writes build/results/labNN.json. Ignores errors, because the check is valid even if its result cannot be saved.
void save_result(const Workspace& workspace, const LabResult& result, const std::string& platform);

// Reads the saved result. Returns nullopt if there was no check yet or the file is damaged.
std::optional<SavedResult> saved_result(const Workspace& workspace, const Lab& lab);

// Returns the value of LAB_FIRST: the tests run first the orders that failed before.
// "Lab04.SeedsOfLeaving=17;Lab02.X=0/4.1".
std::string orders_to_run_first(const Workspace& workspace, const Lab& lab);

// Returns the test that the last check showed as failed, or an empty string if none. It runs first in the next check.
std::string last_failure(const Workspace& workspace, const Lab& lab);

// Returns the version of the programs that last had full points over the student's own earlier labs, or an empty string
// if none had.
std::string saved_own_chain(const Workspace& workspace, const Lab& lab);
void save_own_chain(const Workspace& workspace, const Lab& lab, const std::string& version);

// Returns whether no TODO is written yet.
bool is_starter(const std::string& text);

// Returns the starter of a lab, from git or from the saved copy, or an empty string if neither exists.
std::string starter_of(const Workspace& workspace, const Lab& lab);

// Saves a copy of a file that is still the starter, for a checkout without git.
void keep_starter(const Workspace& workspace, const Lab& lab);
std::filesystem::path kept_starter(const Workspace& workspace, const Lab& lab);

}  // namespace grader
