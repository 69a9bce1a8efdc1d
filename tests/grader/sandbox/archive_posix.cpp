// Unpacks with GNU tar and unzip in the sandbox.
#include "archive.h"

#include "submission.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr double kSeconds = 20;

// Returns 1234 for "3 files, 1234 bytes uncompressed, ...".
std::uint64_t uncompressed(const std::string& totals) {
  const std::size_t end = totals.find(" bytes uncompressed");
  const std::size_t start = end == std::string::npos ? end : totals.rfind(' ', end - 1);
  return start == std::string::npos ? kMostArchive + 1 : std::strtoull(totals.c_str() + start, nullptr, 10);
}

}  // namespace

std::string unpack(const fs::path& archive, const std::vector<Lab>& labs, const Sandbox& sandbox, const fs::path& into) {
  std::error_code error;
  if (fs::file_size(archive, error) > kMostArchive || error) return "it is larger than 200 MB";
  fs::permissions(into, fs::perms::all);
  // Untrusted names are never part of a command line: the archive is read under a name of the tool.
  const PrivateFolder own;
  const bool zip = archive_end(archive) == ".zip";
  const fs::path copy = own.path() / (zip ? "archive.zip" : "archive.tar");
  fs::copy_file(archive, copy, error);
  if (error) return "it cannot be read";
  fs::permissions(copy, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);

  SandboxSpec spec;
  spec.read_only = {copy};
  spec.limits.seconds = kSeconds;
  spec.limits.memory = 1u << 30;
  spec.limits.file = 2 << 20;  // of one file; a source is smaller
  const auto tool = [&](std::vector<std::string> args, bool writes) {
    Command command;
    command.args = std::move(args);
    SandboxSpec mine = spec;
    if (writes) {
      command.dir = into;
      mine.writable = {into};
    }
    return run(sandbox.wrap(command, mine));
  };

  const Ended names = tool(zip ? std::vector<std::string>{"unzip", "-Z1", copy.string()}
                               : std::vector<std::string>{"tar", "-P", "--quoting-style=escape", "-tf", copy.string()}, false);
  if (names.how == Ended::How::timed_out) return "it takes more than 20 s to read";
  if (!names.ok()) return "it cannot be read as a " + std::string(zip ? ".zip" : ".tar.gz");
  if (names.output.size() >= 2 * BoundedText::kHalf) return "it has too many entries";
  if (const std::string why = refuse_names(names.output); !why.empty()) return why;
  if (zip && uncompressed(tool({"unzip", "-Zt", copy.string()}, false).output) > kMostArchive) return "unpacked it is larger than 200 MB";

  for (const Lab& lab : labs) {  // each may have 2 MB
    std::size_t count = 0;
    for (std::size_t at = 0; (at = names.output.find(lab.topic + ".cpp\n", at)) != std::string::npos; ++at) ++count;
    if (count > kMostOfOneName) return "it has more than 20 files " + lab.topic + ".cpp";
  }
  std::vector<std::string> args = zip ? std::vector<std::string>{"unzip", "-qq", "-o", copy.string()}
                                      : std::vector<std::string>{"tar", "--no-same-owner", "--no-same-permissions", "-C", into.string(),
                                                                 "--wildcards", "-xf", copy.string()};
  for (const Lab& lab : labs) args.push_back("*" + lab.topic + ".cpp");
  const Ended ended = tool(args, true);
  if (ended.how == Ended::How::timed_out) return "it takes more than 20 s to unpack";
  return "";  // unzip and tar also report names that do not exist
}

}  // namespace grader
