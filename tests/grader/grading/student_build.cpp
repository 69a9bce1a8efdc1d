#include "student_build.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include <nlohmann/json.hpp>

#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostError = 4000;

std::string refused(const fs::path& file) { return "the file includes " + file.filename().string() + ", which is not one of the given headers\n"; }

bool is_one_of(const fs::path& file, const std::vector<fs::path>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const fs::path& other) {
    std::error_code error;
    return file == other || fs::equivalent(file, other, error) ||  // MSVC may write another case
           (fs::is_directory(other, error) && is_below(file, other));
  });
}

// The words of a rule for make. Quotes mean nothing in it.
std::vector<std::string> split_rule(const std::string& rule) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < rule.size(); ++i) {
    const bool escape = (rule[i] == '\\' || (rule[i] == '$' && i + 1 < rule.size() && rule[i + 1] == '$')) && i + 1 < rule.size();
    if (escape && rule[i + 1] != '\n') words.back() += rule[++i];
    else if (escape || rule[i] == ' ' || rule[i] == '\n') words.emplace_back();
    else words.back() += rule[i];
  }
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  return words;
}

}  // namespace

std::vector<std::string> split_command(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  const std::string escaped = "\"\\$`";  // inside of double quotes
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size() && (quote == '\0' || escaped.find(line[i + 1]) != std::string::npos)) {
      word += line[++i];
    } else if (quote != '\0') {
      word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(word);
      word.clear();
      in_word = false;
      continue;
    } else {
      word += c;
    }
    in_word = true;
  }
  if (in_word) words.push_back(word);
  return words;
}

std::string check_included(const std::string& included, const std::vector<fs::path>& allowed) {
  std::vector<std::string> files = split_rule(included);
  if (!files.empty()) files.erase(files.begin());  // "own.s:"
  for (const std::string& file : files) {
    const fs::path path = fs::path(file).lexically_normal();
    const bool systems = path.string().starts_with("/usr/");
    if (!systems && !is_one_of(path, allowed)) return refused(path);
  }
  return "";
}

std::string check_included_json(const std::string& included, const std::vector<fs::path>& allowed) {
  const nlohmann::ordered_json files = nlohmann::ordered_json::parse(included, nullptr, false);
  if (!files.is_object() || !files.contains("Data") || !files["Data"].contains("Includes")) return "the compiler does not report what the file includes\n";
  for (const nlohmann::ordered_json& file : files["Data"]["Includes"]) {
    std::string name = file.is_string() ? file.get<std::string>() : "";
    std::replace(name.begin(), name.end(), '\\', '/');
    const fs::path path = fs::path(name).lexically_normal();
    std::string lower = path.generic_string();
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool systems = lower.find("/microsoft visual studio/") != std::string::npos || lower.find("/windows kits/") != std::string::npos;
    if (!systems && !is_one_of(path, allowed)) return refused(path);
  }
  return "";
}

std::vector<fs::path> headers_in(const std::vector<fs::path>& folders) {
  std::set<fs::path> headers;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      const std::string end = entry.path().extension().string();
      if (entry.is_regular_file(error) && (end == ".h" || end == ".inc")) headers.insert(entry.path().lexically_normal());
    }
  }
  return {headers.begin(), headers.end()};
}

std::string read_all(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Limits compile_limits(const Platform& platform) {
  Limits limits;
  limits.seconds = 120 * platform.timeout_scale;
  limits.memory = 3072 * kMegabyte;
  limits.file = 256 * kMegabyte;
  limits.processes = 64;
  return limits;
}

std::string StudentBuilder::fingerprint() const {
  std::string all;
  for (const LabTests& lab_tests : labs_) all += fingerprint(lab_tests);
  return hash_of(all);
}

std::string StudentBuilder::fingerprint_of(const std::vector<GradedTest>& tests) {
  std::string all;
  for (const GradedTest& test : tests) {
    all += test.name + std::to_string(test.points) + std::to_string(test.seconds);
    for (const std::string& place : test.places) all += place;
  }
  return all;
}

void StudentBuilder::add(const Lab& lab, const fs::path& solution_test) {
  labs_.push_back({lab, read_points(workspace_.root / "tests/points.json", lab.name)});
  std::string why;
  const std::vector<std::string> existing = list_tests({solution_test, platform_}, why);
  const std::string differences = existing.empty() ? why : compare_points(labs_.back().tests, existing);
  if (!differences.empty() && !interrupted()) throw GraderError(lab.name + ": " + differences);
}

std::string StudentBuilder::shown_error(const Ended& ended, const fs::path& folder) const {
  std::string text = ended.error + ended.output;
  const std::string prefix = folder.generic_string() + "/";
  for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
  text = first_error(text, workspace_);
  if (text.size() > kMostError) text = text.substr(0, kMostError) + "\n... the rest is left out ...\n";
  return text.empty() ? "the compiler ended with " + describe_end(ended) + "\n" : text;
}

TestProgram StudentBuilder::program(const Lab& lab, const fs::path& bin, const WrapInSandbox& wrap) const {
  TestProgram program{bin / (lab.name + "_graded_test" + platform_.suffix), platform_};
  program.timeline = TestProgram::Timeline::of_failures;
  const bool sanitized = platform_.sanitized;
  program.guard = [bin, wrap, sanitized, system = system_](const Command& command, const fs::path& folder,
                                                           const std::vector<fs::path>& files) {
    SandboxSpec spec;
    spec.system = system;
    spec.read_only = {bin};
    spec.writable = files;
    spec.scratch = folder;
    spec.limits.seconds = command.limit;
    spec.limits.memory = sanitized ? 0 : 4096 * kMegabyte;
    return wrap(command, spec);
  };
  return program;
}

}  // namespace grader
