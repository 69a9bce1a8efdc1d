#include "hints.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "points.h"

namespace grader {

LabHints read_hints(const std::filesystem::path& file, const std::string& lab) {
  constexpr const char* kName = "tests/grader/core/hints.json";
  LabHints hints;
  try {
    std::ifstream stream(file);
    const nlohmann::ordered_json all = nlohmann::ordered_json::parse(stream);
    for (const auto& [todo, texts] : all.at(lab).items()) hints[std::atoi(todo.c_str())] = texts.get<std::vector<std::string>>();
  } catch (const nlohmann::ordered_json::exception& error) {
    throw GraderError(std::string(kName) + ": " + lab + ": " + error.what());
  }
  for (const auto& [todo, texts] : hints) {
    if (todo <= 0) throw GraderError(std::string(kName) + ": " + lab + " has an entry that is not the number of a TODO");
    if (texts.size() != kHintsPerTodo) {
      throw GraderError(std::string(kName) + ": " + lab + " TODO " + std::to_string(todo) + " has " + std::to_string(texts.size()) +
                        " hints, not " + std::to_string(kHintsPerTodo));
    }
  }
  return hints;
}

namespace {

std::string key_of(const Lab& lab, int todo) { return lab.name + " " + std::to_string(todo); }

}  // namespace

ShownHints::ShownHints(const Workspace& workspace) : file_(workspace.build / "hints.json") {
  std::ifstream stream(file_);
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(stream, nullptr, false);
  if (!json.is_object()) return;
  for (const auto& [key, count] : json.items()) {
    if (count.is_number_unsigned()) counts_[key] = std::min(count.get<std::size_t>(), kHintsPerTodo);
  }
}

std::size_t ShownHints::of(const Lab& lab, int todo) const {
  const auto found = counts_.find(key_of(lab, todo));
  return found == counts_.end() ? 0 : found->second;
}

void ShownHints::set(const Lab& lab, int todo, std::size_t count) {
  counts_[key_of(lab, todo)] = count;
  std::ofstream(file_) << nlohmann::ordered_json(counts_).dump(2) << "\n";
}

std::vector<std::string> handout_row(const std::string& handout, const std::string& test) {
  const std::string name = "`" + test.substr(test.find('.') + 1) + "`";
  std::istringstream lines(handout);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `") || line.find(name) == std::string::npos) continue;
    std::vector<std::string> cells;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) {
      const std::size_t first = cell.find_first_not_of(' ');
      if (first != std::string::npos) cells.push_back(cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    if (cells.size() >= 2) return {cells.begin() + 1, cells.end()};
  }
  return {};
}

}  // namespace grader
