#include "archive.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostNames = 5000;

}  // namespace

std::string archive_end(const fs::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string end : {".zip", ".tar.gz", ".tgz", ".tar"}) {
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) return end;
  }
  return "";
}

bool is_archive(const fs::path& path) {
  std::error_code error;
  return !archive_end(path).empty() && fs::is_regular_file(fs::symlink_status(path, error));
}

std::string refuse_names(const std::string& list) {
  std::size_t count = 0;
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    if (++count > kMostNames) return "it has more than 5000 entries";
    std::replace(line.begin(), line.end(), '\\', '/');
    if (line.starts_with("/") || (line.size() > 1 && line[1] == ':')) return "it has an absolute name";
    if (("/" + line + "/").find("/../") != std::string::npos) return "it has '..' in a name";
  }
  return count == 0 ? "it is empty or broken" : "";
}

}  // namespace grader
