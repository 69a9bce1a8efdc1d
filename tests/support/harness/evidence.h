// What a test reached: its steps, and the checks that held. The grader accepts a pass only when it proves the checks that every
// right program reaches (tests/evidence.json). A place is named by its text up to the first colon or semicolon: what follows may
// be a value. Numbers may differ from run to run, too.
#pragma once

#include <string>

namespace test {

// For step() and the checks. Any thread may call it, also with locks of its own.
void reached(const std::string& what);

// For tell(): a test begins.
void forget_reached();
// For tell(): the test has passed. Writes what it reached into its report, with a seal when there is a key.
void prove(const std::string& test);

}  // namespace test
