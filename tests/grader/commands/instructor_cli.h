// The command line of the instructor's commands.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "commands.h"

namespace grader {

// Adds the commands to `app`. If the user chose one of them, parsing sets `chosen` to its action. `jobs` is shared.
void add_instructor_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs);

bool is_seed(const std::string& text);

}  // namespace grader
