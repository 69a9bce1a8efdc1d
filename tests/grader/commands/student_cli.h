// The command line of the student's commands.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "student.h"

namespace grader {

// Adds the commands to `app`. If the user chose one of them, parsing sets `chosen` to its action. `app`, `workspace`,
// `chosen` and `jobs` must outlive the parsing and the call.
void add_student_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs);

}  // namespace grader
