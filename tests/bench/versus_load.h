// The load on one measured server, as each lab wants it.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "figures.h"

namespace bench {

// What is measured of a lab, and how its server is started.
struct Course {
  int lab = 0;
  const char* message = "";             // what is counted: "echo"
  std::vector<std::string> options;     // of the server
};
Course course_of(int lab);  // throws std::invalid_argument

// Starts the server, puts load on it for about `seconds`, and says what it did. Throws std::runtime_error when the server
// does not do what it should. When `stop` becomes true it ends early, and the sample means nothing.
Sample measure(const Course& course, const std::filesystem::path& program, double seconds, const std::atomic<bool>& stop);

}  // namespace bench
