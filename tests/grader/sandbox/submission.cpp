#include "submission.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>

#include "archive.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr int kDepth = 4;                    // folders below that of the submission
constexpr std::size_t kMostEntries = 20'000;          // examined in one submission
constexpr std::uintmax_t kMostBytes = 1 << 20;        // of one file
constexpr std::size_t kMostSubmissions = 10'000;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && entries.size() < kMostEntries; it.increment(error)) {
    entries.push_back(it->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_real_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(fs::symlink_status(path, error));
}

// Returns the lab of a file. It may be in a folder named after its lab, or in one whose name is not that of a lab.
int lab_of_file(const fs::path& path, const std::vector<Lab>& labs) {
  const std::string folder = path.parent_path().filename().string();
  for (const Lab& lab : labs) {
    if (path.filename().string() != lab.topic + ".cpp") continue;
    const bool others = std::any_of(labs.begin(), labs.end(), [&](const Lab& other) { return other.name == folder && other.name != lab.name; });
    return others ? 0 : lab.number;
  }
  return 0;
}

// Finds the first file of each lab, by depth and then by name. Includes links, so that they are rejected later with a
// message.
std::map<int, fs::path> find_files(const fs::path& root, const std::vector<Lab>& labs, int depth) {
  std::map<int, fs::path> found;
  std::vector<fs::path> level = {root};
  std::size_t looked_at = 0;
  for (int i = 0; i <= depth && looked_at < kMostEntries; ++i) {
    std::vector<fs::path> next;
    for (const fs::path& folder : level) {
      for (const fs::path& entry : entries_of(folder)) {
        if (++looked_at > kMostEntries) break;
        const std::string name = entry.filename().string();
        if (is_real_folder(entry)) {
          if (name != "solutions" && name[0] != '.') next.push_back(entry);
        } else if (const int lab = lab_of_file(entry, labs); lab != 0) {
          found.emplace(lab, entry);
        }
      }
    }
    level = std::move(next);
  }
  return found;
}

// Copies a small regular file, and nothing else. Returns the reason if it was not copied. Checks the file before
// opening it, because opening a pipe would block; submissions do not change meanwhile.
std::string copy_plain(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(from, error);
  if (fs::is_symlink(status)) return "it is a link";
  if (!fs::is_regular_file(status)) return "it is not a regular file";
  if (fs::hard_link_count(from, error) != 1) return "it is a link";
  if (fs::file_size(from, error) > kMostBytes) return "it is larger than 1 MB";
  fs::create_directories(to.parent_path());
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  if (!in || !(out << std::string(std::istreambuf_iterator<char>(in), {}))) return "it cannot be read";
  return "";
}

std::string name_of_source(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.substr(0, name.size() - (is_archive(path) ? archive_end(path).size() : 0));
}

}  // namespace

std::vector<Submission> find_submissions(const std::vector<std::string>& paths, const std::vector<Lab>& labs, std::vector<std::string>* left_out) {
  std::vector<Submission> found;
  const auto add = [&](const fs::path& path) { found.push_back({name_of_source(path), path}); };
  for (const std::string& text : paths) {
    fs::path path = fs::absolute(text).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    if (!fs::exists(path)) throw UsageError("there is no '" + text + "'");
    if (!fs::is_directory(path)) {
      if (!is_archive(path)) throw UsageError("'" + text + "' is not a folder, .zip or .tar.gz");
      add(path);
      continue;
    }
    if (!find_files(path, labs, 1).empty() && !std::any_of(labs.begin(), labs.end(), [&](const Lab& lab) { return path.filename() == lab.name; })) {
      bool direct = false;  // has files of its own; in a class they are one level deeper, in folders that are not labs
      for (const auto& [number, file] : find_files(path, labs, 1)) {
        const fs::path folder = file.parent_path();
        direct = direct || folder == path || std::any_of(labs.begin(), labs.end(), [&](const Lab& lab) { return folder.filename() == lab.name; });
      }
      if (direct) {
        add(path);
        continue;
      }
    }
    const std::size_t before = found.size();
    for (const fs::path& entry : entries_of(path)) {
      if (entry.filename().string()[0] == '.') continue;
      if (is_real_folder(entry) || is_archive(entry)) add(entry);
      else if (left_out != nullptr) left_out->push_back(entry.filename().string());
    }
    if (found.size() == before) throw UsageError("'" + text + "' has no student's file, and no folder or archive with one");
  }
  if (found.size() > kMostSubmissions) throw UsageError("more than 10000 submissions; grade them in parts");
  std::set<std::string> names;
  for (Submission& submission : found) {
    if (names.insert(submission.name).second) continue;
    const std::string name = submission.name = submission.source.filename().string();
    for (int i = 2; !names.insert(submission.name).second; ++i) submission.name = name + "-" + std::to_string(i);
  }
  return found;
}

Collected collect(const Submission& submission, const std::vector<Lab>& labs, const Sandbox& sandbox, const fs::path& into) {
  Collected result;
  fs::path root = submission.source;
  const PrivateFolder unpacked;
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(root, error))) {
    result.notes.push_back("the submission is a link; it is not followed");
    return result;
  }
  if (!fs::is_directory(root)) {
    const std::string why = unpack(root, labs, sandbox, unpacked.path());
    if (!why.empty()) {
      result.notes.push_back("the archive is refused: " + why);
      return result;
    }
    root = unpacked.path();
  }
  for (const auto& [number, file] : find_files(root, labs, kDepth)) {
    for (const Lab& lab : labs) {
      if (lab.number != number) continue;
      const fs::path target = into / lab.student_file();
      const std::string why = copy_plain(file, target);
      if (why.empty()) result.files[number] = target;
      else result.notes.push_back(lab.student_file() + " was rejected: " + why);
    }
  }
  if (result.files.empty() && result.notes.empty()) result.notes.push_back("it has none of the students' files");
  return result;
}

}  // namespace grader
