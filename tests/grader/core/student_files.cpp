#include "student_files.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "child.h"
#include "points.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

fs::path result_file(const Workspace& workspace, const std::string& lab) {
  return workspace.build / "results" / (lab.substr(0, 5) + ".json");
}

fs::path own_chain_file(const Workspace& workspace, const Lab& lab) {
  return workspace.build / "results" / (lab.name.substr(0, 5) + ".own");
}

// Replaces a file that other processes may be reading: they see the old version or the new one, complete. Ignores
// errors.
void replace_file(const fs::path& file, const std::string& text) {
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  const fs::path fresh = file.string() + ".new";
  std::ofstream(fresh) << text;
  fs::rename(fresh, file, ignored);
}

// Returns the number after `mark`, or 0 if the line does not contain the mark.
int number_after(const std::string& line, const std::string& mark) {
  const std::size_t at = line.find(mark);
  return at == std::string::npos ? 0 : std::atoi(line.c_str() + at + mark.size());
}

// Returns the output of git, or an empty string if git or the repository is missing.
std::string git(const Workspace& workspace, std::vector<std::string> arguments) {
  Command command;
  command.args = {"git", "-C", workspace.root.string()};
  command.args.insert(command.args.end(), arguments.begin(), arguments.end());
  command.limit = 20;
  const Ended ended = run(command);
  return ended.ok() ? ended.output : "";
}

// Returns the newest committed version that is still a starter; students may have committed their own work over it.
std::string committed_starter(const Workspace& workspace, const Lab& lab) {
  std::istringstream commits(git(workspace, {"log", "--format=%H", "--", lab.student_file()}));
  for (std::string commit; std::getline(commits, commit);) {
    const std::string text = git(workspace, {"show", commit + ":./" + lab.student_file()});
    if (is_starter(text)) return text;
  }
  return "";
}

bool contains(const std::vector<int>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());  // so that the file has the same hash on Windows
  return text;
}

std::string hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::vector<int> todos_in(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const int number = number_after(line, "// TODO ");
    if (number > 0 && !contains(numbers, number)) numbers.push_back(number);
  }
  return numbers;
}

std::vector<int> open_todos(const std::string& text) {
  std::vector<int> open;
  int section = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (const int number = number_after(line, "// TODO "); number > 0) section = number;
    const std::string code = line.substr(0, line.find("//"));
    int number = 0;
    if (code.find("not_started(\"lab") != std::string::npos) number = number_after(code, " TODO ");
    if (code.starts_with("struct ") && code.find("State {};") != std::string::npos) number = section;
    if (number > 0 && !contains(open, number)) open.push_back(number);
  }
  std::sort(open.begin(), open.end());
  return open;
}

void save_result(const Workspace& workspace, const LabResult& result, const std::string& platform) {
  nlohmann::ordered_json json = {{"lab", result.name},         {"hash", result.file_hash},
                         {"platform", platform},       {"earned", result.earned()},
                         {"possible", result.tests.empty() ? kPointsPerLab : result.possible()},  {"built", result.problem == Problem::none},
                         {"first_failure", ""},        {"verdict", ""}};
  if (const TestResult* const failure = failure_to_show(result)) {
    json["first_failure"] = failure->name;
    json["verdict"] = name_of(failure->verdict);
  }
  std::map<std::string, std::string> orders;
  if (const auto before = saved_result(workspace, workspace.lab(result.name))) orders = before->failed_orders;
  for (const TestResult& test : result.tests) {
    if (!test.passed() && !test.seed.empty()) orders[test.name] = test.seed;
  }
  json["failed_orders"] = orders;
  replace_file(result_file(workspace, result.name), json.dump(2) + "\n");
}

std::optional<SavedResult> saved_result(const Workspace& workspace, const Lab& lab) {
  std::ifstream stream(result_file(workspace, lab.name));
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(stream, nullptr, false);
  try {
    SavedResult result;
    result.hash = json.at("hash").get<std::string>();
    result.platform = json.at("platform").get<std::string>();
    result.earned = json.at("earned").get<int>();
    result.possible = json.at("possible").get<int>();
    result.built = json.at("built").get<bool>();
    result.first_failure = json.at("first_failure").get<std::string>();
    result.verdict = json.at("verdict").get<std::string>();
    result.failed_orders = json.value("failed_orders", result.failed_orders);
    return result;
  } catch (const nlohmann::ordered_json::exception&) {
    return std::nullopt;
  }
}

std::string orders_to_run_first(const Workspace& workspace, const Lab& lab) {
  std::string all;
  if (const auto before = saved_result(workspace, lab)) {
    for (const auto& [test, order] : before->failed_orders) all += (all.empty() ? "" : ";") + test + "=" + order;
  }
  return all;
}

std::string last_failure(const Workspace& workspace, const Lab& lab) {
  const auto result = saved_result(workspace, lab);
  return result ? result->first_failure : "";
}

std::string saved_own_chain(const Workspace& workspace, const Lab& lab) { return read_text(own_chain_file(workspace, lab)); }

void save_own_chain(const Workspace& workspace, const Lab& lab, const std::string& version) {
  replace_file(own_chain_file(workspace, lab), version);
}

bool is_starter(const std::string& text) {
  const std::vector<int> todos = todos_in(text);
  return !todos.empty() && open_todos(text) == todos;
}

std::string starter_of(const Workspace& workspace, const Lab& lab) {
  const std::string starter = committed_starter(workspace, lab);
  return starter.empty() ? read_text(kept_starter(workspace, lab)) : starter;
}

fs::path kept_starter(const Workspace& workspace, const Lab& lab) {
  return workspace.build / "starters" / (lab.name + ".cpp");
}

void keep_starter(const Workspace& workspace, const Lab& lab) {
  const fs::path kept = kept_starter(workspace, lab);
  const std::string text = read_text(workspace.root / lab.student_file());
  if (!is_starter(text) || read_text(kept) == text) return;
  std::error_code ignored;
  fs::create_directories(kept.parent_path(), ignored);
  std::ofstream(kept, std::ios::binary) << text;
}

}  // namespace grader
