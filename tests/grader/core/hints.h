// tests/grader/core/hints.json: for each TODO of each lab three hints, each saying more than the one before.
//
//   { "lab01_accept": { "1": [ "a question", "what to do", "nearly the code" ], ... }, ... }
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "workspace.h"

namespace grader {

constexpr std::size_t kHintsPerTodo = 3;

using LabHints = std::map<int, std::vector<std::string>>;  // by TODO

// Throws GraderError when the file or the lab's entry is not right.
LabHints read_hints(const std::filesystem::path& file, const std::string& lab);

// Which hints were shown, in build/hints.json.
class ShownHints {
 public:
  explicit ShownHints(const Workspace& workspace);
  std::size_t of(const Lab& lab, int todo) const;
  void set(const Lab& lab, int todo, std::size_t count);

 private:
  std::filesystem::path file_;
  std::map<std::string, std::size_t> counts_;  // "lab03_overlapped_ex 2"
};

// What a handout's table "What failing tests mean" says of a test: its cells behind the name. Empty when it says nothing.
std::vector<std::string> handout_row(const std::string& handout, const std::string& test);

}  // namespace grader
