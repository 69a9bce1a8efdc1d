#include "points.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "workspace.h"

namespace grader {

namespace {

nlohmann::ordered_json entry_of(const std::filesystem::path& file, const std::string& lab) {
  std::ifstream stream(file);
  if (!stream) throw GraderError("tests/points.json cannot be read");
  const nlohmann::ordered_json all = nlohmann::ordered_json::parse(stream);
  if (!all.contains(lab)) throw GraderError("tests/points.json has no entry for " + lab);
  return all.at(lab);
}

}  // namespace

int left_out_points(const std::filesystem::path& file, const std::string& lab) {
  try {
    return entry_of(file, lab).value("hidden_points", 0);
  } catch (const nlohmann::ordered_json::exception& error) {
    throw GraderError(std::string("tests/points.json: ") + error.what());
  }
}

std::vector<GradedTest> read_points(const std::filesystem::path& file, const std::string& lab) {
  std::vector<GradedTest> tests;
  int sum = 0;
  try {
    const nlohmann::ordered_json own = entry_of(file, lab);
    sum = own.value("hidden_points", 0);
    for (const nlohmann::ordered_json& entry : own.at("tests")) {
      GradedTest test;
      test.name = entry.at("name").get<std::string>();
      test.points = entry.at("points").get<int>();
      test.seconds = entry.value("seconds", test.seconds);
      test.hidden = entry.value("hidden", false);
      sum += test.points;
      tests.push_back(test);
    }
  } catch (const nlohmann::ordered_json::exception& error) {
    throw GraderError(std::string("tests/points.json: ") + error.what());
  }
  const std::map<std::string, std::vector<std::string>> evidence = read_evidence(file.parent_path() / "evidence.json");
  std::set<std::string> names;
  for (GradedTest& test : tests) {
    if (const auto found = evidence.find(test.name); found != evidence.end()) test.places = found->second;
    if (!names.insert(test.name).second) throw GraderError("tests/points.json: " + lab + " has " + test.name + " twice");
    if (test.points < 0) throw GraderError("tests/points.json: " + test.name + " has fewer than 0 points");
  }
  if (sum != kPointsPerLab) {
    throw GraderError("tests/points.json: the points of " + lab + " sum to " + std::to_string(sum) + ", not to " +
                      std::to_string(kPointsPerLab));
  }
  return tests;
}

std::map<std::string, std::vector<std::string>> read_evidence(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) return {};
  try {
    return nlohmann::ordered_json::parse(stream).get<std::map<std::string, std::vector<std::string>>>();
  } catch (const nlohmann::ordered_json::exception& error) {
    throw GraderError(std::string("tests/evidence.json: ") + error.what());
  }
}

std::string read_scenario(const std::filesystem::path& file, const std::string& lab) {
  std::ifstream stream(file);
  const nlohmann::ordered_json all = nlohmann::ordered_json::parse(stream, nullptr, false);
  const auto found = all.is_object() ? all.find(lab) : all.end();
  if (found == all.end() || !found->is_object() || !found->contains("trace") || !found->at("trace").is_string()) {
    throw GraderError("tests/points.json has no \"trace\" for " + lab);
  }
  return found->at("trace");
}

const GradedTest& chosen_test(const std::vector<GradedTest>& tests, const std::string& name) {
  for (const GradedTest& test : tests) {
    if (test.name == name || test.name.substr(test.name.find('.') + 1) == name) return test;
  }
  std::string suggestions;
  for (const std::string& one : nearest(tests, name)) suggestions += "\n  " + one;
  throw UsageError("there is no test '" + name + "' in this lab. Similar names:" + suggestions);
}

namespace {

// Returns how many letters must be inserted, removed or replaced.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::vector<std::string> nearest(const std::vector<GradedTest>& tests, const std::string& name) {
  constexpr std::size_t kShown = 3;
  const std::string wanted = in_lower_case(name.substr(name.find('.') + 1));
  std::vector<std::pair<std::size_t, std::string>> all;
  for (const GradedTest& test : tests) {
    const std::string own = in_lower_case(test.name.substr(test.name.find('.') + 1));
    all.emplace_back(own.find(wanted) != std::string::npos ? 0 : distance(own, wanted), test.name);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (std::size_t i = 0; i < all.size() && i < kShown; ++i) names.push_back(all[i].second);
  return names;
}

std::string compare_points(const std::vector<GradedTest>& manifest, const std::vector<std::string>& existing) {
  const std::set<std::string> exists(existing.begin(), existing.end());
  std::set<std::string> listed;
  std::string differences;
  for (const GradedTest& test : manifest) {
    listed.insert(test.name);
    if (exists.count(test.name) == 0) differences += test.name + ": in tests/points.json, but there is no such test\n";
  }
  for (const std::string& name : existing) {
    if (listed.count(name) == 0) differences += name + ": a test without an entry in tests/points.json\n";
  }
  return differences;
}

}  // namespace grader
