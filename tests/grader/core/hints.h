// tests/grader/core/hints.json: three hints for each TODO of each lab, each more specific than the one before.
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

// Throws GraderError if the file or the lab's entry is malformed.
LabHints read_hints(const std::filesystem::path& file, const std::string& lab);

// Records in build/hints.json which hints were shown.
class ShownHints {
 public:
  explicit ShownHints(const Workspace& workspace);
  std::size_t of(const Lab& lab, int todo) const;
  void set(const Lab& lab, int todo, std::size_t count);

 private:
  std::filesystem::path file_;
  std::map<std::string, std::size_t> counts_;  // "lab03_overlapped_ex 2"
};

// Returns the cells after the test's name in the handout's table "What failing tests mean", or an empty vector if the
// test is not listed.
std::vector<std::string> handout_row(const std::string& handout, const std::string& test);

}  // namespace grader
