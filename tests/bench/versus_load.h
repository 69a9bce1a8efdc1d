// The load on one measured server, depending on the lab.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "figures.h"

namespace bench {

// How a lab is measured, and how its server is started.
struct Course {
  int lab = 0;
  const char* message = "";             // the counted item: "echo"
  std::vector<std::string> options;     // of the server
};
Course course_of(int lab);  // throws std::invalid_argument

// Starts the server, puts load on it for about `seconds`, and returns the results. Throws std::runtime_error if the
// server misbehaves. If `stop` becomes true it ends early, and the sample is invalid.
Sample measure(const Course& course, const std::filesystem::path& program, double seconds, const std::atomic<bool>& stop);

}  // namespace bench
