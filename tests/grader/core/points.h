// tests/points.json: the points of each test.
//
//   { "lab01_accept": { "tests": [ { "name": "Accept.GivesIds", "points": 8 }, ... ] }, ... }
//
// A test may have "seconds", its own time limit, and "hidden". `lab handout` leaves a hidden test out and adds
// "hidden_points" to the lab's entry. The points of a lab sum to 100. "trace" names the test that shows the lab in
// operation, with several threads and a few clients.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace grader {

// An error of the course, not of the student.
struct GraderError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct GradedTest {
  std::string name;
  int points = 0;
  double seconds = 25;  // native limit; a slow platform multiplies it. The test's own watchdog fires earlier, at 20
  bool hidden = false;  // not part of a handout
  std::vector<std::string> places = {};  // what every passing run reaches, from tests/evidence.json
};

constexpr int kPointsPerLab = 100;

// Reads the graded tests of one lab, with their places from the file evidence.json next to it. Throws GraderError if
// the file, the lab or the sum is wrong.
std::vector<GradedTest> read_points(const std::filesystem::path& file, const std::string& lab);

// Reads tests/evidence.json: for each test, the steps and checks that every passing run reaches. `lab test --evidence`
// writes it.
std::map<std::string, std::vector<std::string>> read_evidence(const std::filesystem::path& file);

// Returns the points of the hidden tests that are left out of a handout, or 0.
int left_out_points(const std::filesystem::path& file, const std::string& lab);

// Returns the test that `lab trace` runs if none is named. Throws GraderError.
std::string read_scenario(const std::filesystem::path& file, const std::string& lab);

// Returns the test of this name, or of the part after the dot. Throws UsageError, with similar names, if there is none.
const GradedTest& chosen_test(const std::vector<GradedTest>& tests, const std::string& name);

// Returns the names that are most similar to `name`, nearest first.
std::vector<std::string> nearest(const std::vector<GradedTest>& tests, const std::string& name);

// Returns the differences between the manifest and the existing tests, or an empty string if there are none.
std::string compare_points(const std::vector<GradedTest>& manifest, const std::vector<std::string>& existing);

}  // namespace grader
