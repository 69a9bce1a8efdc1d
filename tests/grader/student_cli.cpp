#include "student_cli.h"

namespace grader {

void add_student_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs) {
  (void)jobs;
  CLI::App* const status_command = app.add_subcommand("status", "the labs, their points of the last check, and the next step; builds nothing");
  status_command->callback([&] { chosen = [&] { return status(workspace); }; });
}

}  // namespace grader
