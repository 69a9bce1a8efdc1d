// Sees that a file was saved.
#pragma once

#include <filesystem>
#include <string>

namespace grader {

class FileWatch {
 public:
  explicit FileWatch(std::filesystem::path file);

  // Is its text another than at the last call? Reads the file only when its time has changed. An editor may take the
  // file away for a moment while it saves: a file that is not there, or is empty, has not changed.
  bool changed();

 private:
  const std::filesystem::path file_;
  std::filesystem::file_time_type time_{};
  std::string hash_;
};

}  // namespace grader
