// Unpacks with the tar of Windows (bsdtar), which also reads .zip. Each file is read through a pipe, bounded. Only the
// tool writes to the disk, so there are no links and no decompression bombs. Not tested: Wine has no tar.
#include <fstream>
#include <sstream>

#include "archive.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr double kSeconds = 20;

bool is_plain(char c) { return c > ' ' && c < 127 && std::string("*?[]\\:\"<>|").find(c) == std::string::npos; }

// Returns the pattern that matches this name in tar; characters that the conversion may change become wildcards.
std::string pattern_of(const std::string& name) {
  std::size_t start = name.size();
  while (start > 0 && is_plain(name[start - 1])) --start;
  return start == 0 ? name : "*" + name.substr(start);
}

}  // namespace

std::string unpack(const fs::path& archive, const std::vector<Lab>& labs, const Sandbox& sandbox, const fs::path& into) {
  std::error_code error;
  if (fs::file_size(archive, error) > kMostArchive || error) return "it is larger than 200 MB";
  SandboxSpec spec;
  spec.limits.seconds = kSeconds;
  spec.limits.memory = 1u << 30;
  spec.limits.processes = 8;
  const auto tar = [&](const std::string& what, const std::string& name) {
    Command command;
    command.args = {"tar", what, archive.string()};
    if (!name.empty()) command.args.push_back(name);
    return run(sandbox.wrap(command, spec));
  };
  const Ended names = tar("-tf", "");
  if (names.how == Ended::How::timed_out) return "it takes more than 20 s to read";
  if (!names.ok()) return "it cannot be read";
  if (names.output.size() >= 2 * BoundedText::kHalf) return "it has too many entries";
  if (const std::string why = refuse_names(names.output); !why.empty()) return why;
  for (const Lab& lab : labs) {
    std::size_t count = 0;
    std::istringstream lines(names.output);
    for (std::string name; std::getline(lines, name);) {
      if (!name.empty() && name.back() == '\r') name.pop_back();
      const std::string file = "/" + lab.topic + ".cpp";
      if (("/" + name).size() < file.size() || ("/" + name).substr(name.size() + 1 - file.size()) != file) continue;
      if (++count > kMostOfOneName) return "it has more than 20 files " + lab.topic + ".cpp";
      const Ended text = tar("-xOf", pattern_of(name));
      if (text.how == Ended::How::timed_out) return "it takes more than 20 s to unpack";
      if (!text.ok() || text.output.size() >= 2 * BoundedText::kHalf) continue;
      for (char& c : name) c = is_plain(c) ? c : '_';
      fs::create_directories((into / name).parent_path(), error);
      std::ofstream(into / name, std::ios::binary) << text.output;
    }
  }
  return "";
}

}  // namespace grader
