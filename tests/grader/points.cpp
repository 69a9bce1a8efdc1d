#include "points.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

namespace grader {

std::vector<GradedTest> read_points(const std::filesystem::path& file, const std::string& lab) {
  std::ifstream stream(file);
  if (!stream) throw GraderError("tests/points.json cannot be read");
  std::vector<GradedTest> tests;
  int sum = 0;
  try {
    const nlohmann::json all = nlohmann::json::parse(stream);
    if (!all.contains(lab)) throw GraderError("tests/points.json has no entry for " + lab);
    for (const nlohmann::json& entry : all.at(lab).at("tests")) {
      GradedTest test;
      test.name = entry.at("name").get<std::string>();
      test.points = entry.at("points").get<int>();
      test.seconds = entry.value("seconds", test.seconds);
      sum += test.points;
      tests.push_back(test);
    }
  } catch (const nlohmann::json::exception& error) {
    throw GraderError(std::string("tests/points.json: ") + error.what());
  }
  std::set<std::string> names;
  for (const GradedTest& test : tests) {
    if (!names.insert(test.name).second) throw GraderError("tests/points.json: " + lab + " has " + test.name + " twice");
    if (test.points < 0) throw GraderError("tests/points.json: " + test.name + " has fewer than 0 points");
  }
  if (sum != kPointsPerLab) {
    throw GraderError("tests/points.json: the points of " + lab + " sum to " + std::to_string(sum) + ", not to " +
                      std::to_string(kPointsPerLab));
  }
  return tests;
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
