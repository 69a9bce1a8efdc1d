// `lab handout`: creates a copy of the course for students.
#include "handout.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "child.h"
#include "commands.h"
#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMark = "<!-- instructor -->";

bool below(const std::string& file, const std::string& folder) { return file.starts_with(folder); }

std::size_t heading_level(const std::string& line) {
  const std::size_t level = line.find_first_not_of('#');
  return level == std::string::npos || level == 0 || line[level] != ' ' ? 0 : level;
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream << text << std::flush;
  if (!stream) throw GraderError(file.string() + " cannot be written");
}

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string evidence_for_students(const Workspace& workspace, const std::string& text) {
  std::string left = text;
  for (const Lab& lab : workspace.labs) {
    for (const GradedTest& test : read_points(workspace.root / "tests/points.json", lab.name)) {
      if (test.hidden) left = without_evidence(left, test.name);
    }
  }
  return left == text ? "" : left;
}

// Returns the students' version of a file that is changed for them.
std::string made_for_students(const Workspace& workspace, const std::string& file) {
  const std::string text = read_text(workspace.root / file);
  if (file == "README.md") return text_for_students(text);
  if (file == "tests/points.json") return points_for_students(text);
  if (file == "tests/evidence.json") return evidence_for_students(workspace, text);
  for (const Lab& lab : workspace.labs) {
    if (file == lab.student_file()) {
      const std::string starter = is_starter(text) ? text : starter_of(workspace, lab);
      if (starter.empty())
        throw GraderError(file + " is no longer the starter, and git does not have it. Restore it with: lab reset " +
                          std::to_string(lab.number));
      if (starter != text) std::printf("%s was changed: the handout contains the starter\n", file.c_str());
      return starter;
    }
    const bool tests = file == lab.test_file();
    if (!tests && file != lab.name + "/README.md") continue;
    std::string left = text;
    for (const GradedTest& test : read_points(workspace.root / "tests/points.json", lab.name)) {
      if (test.hidden) left = tests ? without_test(left, test.name) : without_row(left, test.name);
    }
    return left == text ? "" : left;
  }
  return "";
}

}  // namespace

bool is_for_students(const std::string& file) {
  for (const char* const folder : {"solutions/", "tests/mutants/", "tests/bench/", "tests/grader/selftest/", "tests/grader/commands/gradescope/", ".ci/", ".github/", ".git/", "build/"}) {
    if (below(file, folder)) return false;
  }
  for (const char* const page : {"ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    if (file == page) return false;
  }
  const std::string name = fs::path(file).filename().string();
  return name.find(".bak-") == std::string::npos && name.find(".orig") == std::string::npos;
}

std::vector<std::string> files_of_course(const Workspace& workspace) {
  std::vector<std::string> files;
  Command git;
  git.args = {"git", "-C", workspace.root.string(), "ls-files", "-z"};
  std::string list;  // complete; Ended::output leaves out the middle
  git.on_output = [&](std::string_view piece) { list += piece; };
  if (fs::exists(workspace.root / ".git") && run(git).ok()) {
    std::istringstream names(list);
    for (std::string name; std::getline(names, name, '\0');) files.push_back(name);
  } else {
    for (fs::recursive_directory_iterator it(workspace.root), end; it != end; ++it) {
      const std::string name = it->path().lexically_relative(workspace.root).generic_string();
      std::error_code error;
      if (it->is_directory() && (name == ".git" || name == "build" || fs::equivalent(it->path(), workspace.build, error))) it.disable_recursion_pending();
      if (it->is_regular_file()) files.push_back(name);
    }
  }
  files.erase(std::remove_if(files.begin(), files.end(), [&](const std::string& file) { return !workspace.has(file); }), files.end());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> files_for_students(const Workspace& workspace) {
  std::vector<std::string> files = files_of_course(workspace);
  files.erase(std::remove_if(files.begin(), files.end(), [](const std::string& file) { return !is_for_students(file); }), files.end());
  return files;
}

std::string without_test(const std::string& source, const std::string& name) {
  const std::size_t dot = name.find('.');
  const std::string start = "LAB_TEST(" + name.substr(0, dot) + ", " + name.substr(dot + 1) + ",";
  std::istringstream stream(source);
  std::string kept, comment;  // the preceding comment or empty lines, which are not kept yet
  bool inside = false, found = false;
  for (std::string line; std::getline(stream, line);) {
    if (inside) {
      inside = line != "}";
    } else if (line.starts_with(start)) {
      inside = found = true;
      comment.clear();
    } else if (line.starts_with("//")) {
      comment += line + "\n";
    } else {
      kept += comment + line + "\n";
      comment.clear();
    }
  }
  if (!found || inside) throw GraderError(name + " is to be hidden, but its source cannot be found");
  return kept + comment;
}

std::string without_row(const std::string& text, const std::string& name) {
  const std::string start = "| `" + name.substr(name.find('.') + 1) + "` |";
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(start)) kept += line + "\n";
  }
  return kept;
}

std::string points_for_students(const std::string& text) {
  using nlohmann::ordered_json;
  ordered_json all = ordered_json::parse(text);
  bool any = false;
  for (auto& [lab, entry] : all.items()) {
    int points = 0;
    ordered_json shown = ordered_json::array();
    for (const ordered_json& test : entry.at("tests")) {
      if (test.value("hidden", false)) points += test.at("points").get<int>();
      else shown.push_back(test);
    }
    if (shown.size() == entry.at("tests").size()) continue;
    any = true;
    entry["tests"] = shown;
    entry["hidden_points"] = points;
  }
  return any ? all.dump(1) + "\n" : text;
}

std::string without_evidence(const std::string& json, const std::string& name) {
  nlohmann::ordered_json all = nlohmann::ordered_json::parse(json);
  return all.erase(name) > 0 ? all.dump(1) + "\n" : json;
}

std::string text_for_students(const std::string& text) {
  std::string kept;
  std::size_t skipped = 0;  // level of the heading whose section is left out
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t level = heading_level(line);
    if (level > 0 && level <= skipped) skipped = 0;
    const bool marked = line.find(kMark) != std::string::npos;
    if (marked && level > 0) skipped = level;
    if (skipped == 0 && !marked) kept += line + "\n";
  }
  return kept;
}

int handout(const Workspace& workspace, const HandoutOptions& options) {
  workspace.need_solutions("handout");
  const fs::path out = fs::absolute(options.out).lexically_normal();
  const fs::path folder = out.has_filename() ? out : out.parent_path();
  const fs::path zip = folder.string() + ".zip";
  if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder)))
    throw UsageError(options.out + " already exists and is not empty");
  if (options.zip && fs::exists(zip)) throw UsageError(zip.string() + " already exists");

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw UsageError(options.out + " cannot be created: " + error.message());

  const std::vector<std::string> files = files_for_students(workspace);
  for (const std::string& file : files) {
    const fs::path from = workspace.root / file;
    const std::string own = made_for_students(workspace, file);
    write(folder / file, own.empty() ? bytes_of(from) : own);
    fs::permissions(folder / file, fs::status(from).permissions());
  }
  for (const Lab& lab : workspace.labs) {
    if (const int points = left_out_points(folder / "tests/points.json", lab.name); points > 0) {
      std::printf("%s: tests with %d points are hidden\n", lab.name.c_str(), points);
    }
  }
  std::printf("%zu files in %s\n", files.size(), folder.string().c_str());
  if (options.zip) {
    Command tar;
    tar.args = {"cmake", "-E", "tar", "cf", zip.string(), "--format=zip", "--", folder.filename().string()};
    tar.dir = folder.parent_path();
    if (const Ended ended = run(tar); !ended.ok())
      throw GraderError("the .zip cannot be created: " + ended.error + ended.output);
    std::printf("packed as %s\n", zip.string().c_str());
  }
  return kExitFull;
}

}  // namespace grader
