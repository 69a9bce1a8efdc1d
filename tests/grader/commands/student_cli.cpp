#include "student_cli.h"

#include <memory>

namespace grader {

void add_student_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs) {
  const std::string labs = std::to_string(workspace.labs.front().number) + " to " + std::to_string(workspace.labs.back().number);
  CLI::App* const status_command =
      app.add_subcommand("status", "show the labs, their points of the last check, and the next step; builds nothing");
  status_command->callback([&] { chosen = [&] { return status(workspace); }; });

  // The options live as long as the callbacks.
  const auto hint_options = std::make_shared<HintOptions>();
  CLI::App* const hint_command =
      app.add_subcommand("hint", "show a hint for a TODO, and one more each time, up to three");
  hint_command->add_option("lab", hint_options->lab, labs)->required();
  hint_command
      ->add_option("todo", hint_options->todo, "the number of the TODO (default: the first that is not written yet)")
      ->check(CLI::Range(1, 99));
  hint_command->add_flag("--again", hint_options->again, "show only the hints that were shown before");
  hint_command->add_flag("--all", hint_options->all, "show all three");
  hint_command->callback([=, &workspace, &chosen] { chosen = [=, &workspace] { return hint(workspace, *hint_options); }; });

  const auto lab = std::make_shared<std::string>();
  const auto sure = std::make_shared<bool>(false);
  CLI::App* const reset_command =
      app.add_subcommand("reset", "restore the starter of a lab; your file is kept next to it as x.cpp.bak-1, -2 ...");
  reset_command->add_option("lab", *lab, labs)->required();
  reset_command->add_flag("--yes", *sure, "do not ask for confirmation");
  reset_command->callback([=, &workspace, &chosen] { chosen = [=, &workspace] { return reset(workspace, *lab, *sure); }; });

  CLI::App* const diff_command =
      app.add_subcommand("diff", "compare your file with the solution, if it has full points");
  diff_command->add_option("lab", *lab, labs)->required();
  diff_command->add_flag("--force", *sure, "compare even without full points");
  diff_command->callback([=, &workspace, &chosen] { chosen = [=, &workspace] { return diff(workspace, *lab, *sure); }; });

  CLI::App* const doctor_command =
      app.add_subcommand("doctor", "check what the labs need on this machine, and show what to install");
  doctor_command->footer("Exit codes: 0 the native labs can be done here, 1 not yet.");
  doctor_command->callback([&] { chosen = [&] { return doctor(workspace); }; });

  CLI::App* const watch_command =
      app.add_subcommand("watch", "check a lab whenever you save your file, the failing test first; Ctrl+C ends it");
  watch_command->add_option("lab", *lab, labs)->required();
  watch_command->add_option("--jobs", jobs, "run this many tests and compilers at once")->check(CLI::Range(1, 256));
  watch_command->callback([=, &workspace, &chosen, &jobs] { chosen = [=, &workspace, &jobs] { return watch(workspace, *lab, jobs); }; });
}

}  // namespace grader
