// `lab run`, `lab bench` and `lab bench N`: one program in the foreground.
#include <cstdio>

#include "build.h"
#include "commands.h"
#include "console.h"
#include "child.h"
#include "progress.h"

namespace grader {

namespace {

// Returns 0, or the exit code.
int build_quietly(const Workspace& workspace, const Platform& platform, const std::vector<std::string>& targets, unsigned jobs) {
  Progress progress;  // destroyed before the program uses the terminal
  const BuildResult built = build(workspace, build_folder(workspace, platform), targets, jobs, progress);
  if (built.interrupted) return kExitInterrupted;
  if (built.ok) return 0;
  std::fprintf(stderr, "%s does not build\n\n%s\nComplete log: %s\n", targets.front().c_str(),
               indented(built.error, workspace).c_str(), workspace.shown(built.log).c_str());
  return kExitBuildFailed;
}

}  // namespace

int run_target(const Workspace& workspace, const std::string& platform_name, const std::string& target,
               const std::vector<std::string>& arguments, unsigned jobs) {
  const Platform platform = workspace.platform(platform_name);
  if (const int code = build_quietly(workspace, platform, {target}, jobs); code != 0) return code;
  Command command;
  command.args = platform.runner;
  command.args.push_back(workspace.program(platform, target).string());
  command.args.insert(command.args.end(), arguments.begin(), arguments.end());
  command.env = platform.env;
  return hand_over(command);
}

int run_bench(const Workspace& workspace, const std::string& platform_name, std::vector<std::string> arguments, unsigned jobs) {
  if (platform_name == "wine") {
    const Platform wine = workspace.platform(platform_name);
    if (const int code = build_quietly(workspace, wine, {"lab04_worker_solution", "echo_asio"}, jobs); code != 0) return code;
    arguments.insert(arguments.begin(), {"--only", "echo", "--wine-bin", workspace.program(wine, "x").parent_path().string(),
                                         "--wine-run", wine.runner.front()});
  } else if (!platform_name.empty() && platform_name != workspace.platforms().front().name) {
    throw UsageError("the measurements run on " + workspace.platforms().front().name + " or wine");
  }
  return run_target(workspace, "", "lab_bench", arguments, jobs);
}

int run_versus(const Workspace& workspace, const std::string& platform_name, const Lab& lab, bool solution, const std::vector<std::string>& arguments,
               unsigned jobs) {
  const Platform platform = workspace.platforms().front();
  if (platform.name != "linux" || (!platform_name.empty() && platform_name != platform.name)) throw UsageError("bench N measures natively on Linux only");
  for (const Lab& needed : workspace.labs) {
    if (needed.number <= lab.number && !workspace.has(needed.solution_file()))
      throw UsageError(needed.solution_file() + " does not exist; there is no reference to measure against");
  }
  const std::string yours = lab.name + (solution ? "_solution_measured" : "_graded_measured"), reference = lab.name + "_solution_measured";
  if (const int code = build_quietly(workspace, platform, {yours, reference, "lab_versus"}, jobs); code != 0) return code;
  std::vector<std::string> all = {"--lab", std::to_string(lab.number), "--yours", workspace.program(platform, yours).string(),
                                  "--reference", workspace.program(platform, reference).string(),
                                  "--name", solution ? lab.solution_file() : lab.student_file()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_target(workspace, "", "lab_versus", all, jobs);
}

}  // namespace grader
