// Detects that a file was saved.
#pragma once

#include <filesystem>
#include <string>

namespace grader {

class FileWatch {
 public:
  explicit FileWatch(std::filesystem::path file);

  // Returns whether the text has changed since the last call. Reads the file only if its time has changed. An editor
  // may remove the file for a moment while it saves: a file that is missing or empty counts as unchanged.
  bool changed();

 private:
  const std::filesystem::path file_;
  std::filesystem::file_time_type time_{};
  std::string hash_;
};

}  // namespace grader
