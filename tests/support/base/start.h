// What the test program was started with. The code under test may have constructors; glibc hands them main's arguments and
// the environment, and they may write to both. So these are copied before any constructor runs, and the copy is read only.
#pragma once

#include <vector>

namespace test {

// For main: its arguments as they were at the start, with a null pointer behind them. Restores the environment, too.
std::vector<char*> start_arguments(int argc, char** argv);

// The grader's key for this process, or an empty string. The code under test does not find it in the environment.
const char* start_key();

// The value of an environment variable at the start, or a null pointer.
const char* start_setting(const char* name);

}  // namespace test
