// tests/points.json: how many points each test is worth.
//
//   { "lab01_accept": { "tests": [ { "name": "Accept.GivesIds", "points": 8 }, ... ] }, ... }
//
// A test may have "seconds", its own time limit, and "hidden": then `lab handout` leaves it out, and its lab's entry says
// "hidden_points" there. The points of a lab sum to 100. "trace" names the test that shows the lab at work: several threads,
// a few clients.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace grader {

// The fault is the course's, not the student's.
struct GraderError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct GradedTest {
  std::string name;
  int points = 0;
  double seconds = 25;  // natively; a slow platform multiplies it. The test's own watchdog comes first, at 20
  bool hidden = false; // not in a handout
  std::vector<std::string> places = {};  // what every passing run reaches, out of tests/evidence.json
};

constexpr int kPointsPerLab = 100;

// The graded tests of one lab, with their places out of the file evidence.json beside it. Throws GraderError when the file, the lab or the sum is not right.
std::vector<GradedTest> read_points(const std::filesystem::path& file, const std::string& lab);

// tests/evidence.json: by test, the steps and checks that every passing run reaches. `lab test --evidence` writes it.
std::map<std::string, std::vector<std::string>> read_evidence(const std::filesystem::path& file);

// The points of its hidden tests, when they were left out: in a handout.
int left_out_points(const std::filesystem::path& file, const std::string& lab);

// The test that `lab trace` runs when none is named. Throws GraderError.
std::string read_scenario(const std::filesystem::path& file, const std::string& lab);

// The test of this name, or of the part behind the dot. Throws UsageError with the names that are like it.
const GradedTest& chosen_test(const std::vector<GradedTest>& tests, const std::string& name);

// The names that are most like `name`, nearest first.
std::vector<std::string> nearest(const std::vector<GradedTest>& tests, const std::string& name);

// What differs between the manifest and the tests that exist; empty: nothing.
std::string compare_points(const std::vector<GradedTest>& manifest, const std::vector<std::string>& existing);

}  // namespace grader
