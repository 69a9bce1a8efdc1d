#include "archive.h"

#include <algorithm>
#include <sstream>

#include "submission.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostNames = 5000;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

bool is_archive(const fs::path& path) {
  const std::string name = path.filename().string();
  std::error_code error;
  const bool known = ends_with(name, ".zip") || ends_with(name, ".tar.gz") || ends_with(name, ".tgz") || ends_with(name, ".tar");
  return known && fs::is_regular_file(fs::symlink_status(path, error));
}

std::string refuse_names(const std::string& list) {
  std::size_t count = 0;
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    if (++count > kMostNames) return "it has more than 5000 entries";
    std::replace(line.begin(), line.end(), '\\', '/');
    if (line.rfind("/", 0) == 0 || (line.size() > 1 && line[1] == ':')) return "it has an absolute name";
    if (("/" + line + "/").find("/../") != std::string::npos) return "it has '..' in a name";
  }
  return count == 0 ? "it is empty or broken" : "";
}

}  // namespace grader
