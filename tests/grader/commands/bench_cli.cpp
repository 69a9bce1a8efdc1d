#include "bench_cli.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "bench_options.h"
#include "commands.h"

namespace grader {

namespace {

// Returns the exit code if nothing is to be measured: for --help, or for a wrong option.
template <class Options>
std::optional<int> parse(std::vector<std::string> arguments, Options& options) {
  CLI::App app;
  bench::add_options(app, options);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 expects this order
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFull : kExitBadUsage;
  }
  return std::nullopt;
}

bool names_a_lab(const std::string& word) { return std::isdigit(static_cast<unsigned char>(word[0])) || word.starts_with("lab"); }

int versus(const Workspace& workspace, const std::string& platform, std::vector<std::string> arguments, unsigned jobs) {
  const Lab& lab = workspace.lab(arguments.front());
  arguments.erase(arguments.begin());
  bench::VersusOptions options;
  if (const std::optional<int> code = parse(arguments, options)) return *code;
  if (options.svg.empty()) arguments.insert(arguments.end(), {"--svg", (workspace.build / "bench" / (lab.name + ".svg")).string()});
  return run_versus(workspace, platform, lab, options.solution, arguments, jobs);
}

}  // namespace

int measure(const Workspace& workspace, const std::string& platform, std::vector<std::string> arguments, unsigned jobs) {
  workspace.need_solutions("bench");
  if (!arguments.empty() && names_a_lab(arguments.front())) return versus(workspace, platform, arguments, jobs);
  bench::BenchOptions options;
  if (const std::optional<int> code = parse(arguments, options)) return *code;
  return run_bench(workspace, platform, arguments, jobs);
}

}  // namespace grader
