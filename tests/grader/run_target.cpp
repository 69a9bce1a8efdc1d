// `lab run` and `lab bench`: one program in the foreground.
#include <cstdio>

#include "build.h"
#include "commands.h"
#include "console.h"
#include "process.h"
#include "progress.h"

namespace grader {

int run_target(const Workspace& workspace, const std::string& platform_name, const std::string& target,
               const std::vector<std::string>& arguments, unsigned jobs) {
  const Platform platform = workspace.platform(platform_name);
  {
    Progress progress;  // gone before the program has the terminal
    const BuildResult built = build(workspace, build_folder(workspace, platform), {target}, jobs, progress);
    if (built.interrupted) return kExitInterrupted;
    if (!built.ok) {
      std::fprintf(stderr, "%s does not build\n\n%s\nAll of it: %s\n", target.c_str(),
                   indented(built.error, workspace).c_str(), workspace.shown(built.log).c_str());
      return kExitBuildFailed;
    }
  }
  Command command;
  command.args = platform.runner;
  command.args.push_back(workspace.program(platform, target).string());
  command.args.insert(command.args.end(), arguments.begin(), arguments.end());
  command.env = platform.env;
  return hand_over(command);
}

}  // namespace grader
