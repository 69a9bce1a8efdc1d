// `lab trace`: runs one test of a lab and shows its timeline.
#include <cstdio>
#include <fstream>

#include "build.h"
#include "child.h"
#include "commands.h"
#include "console.h"
#include "points.h"
#include "progress.h"
#include "runner.h"
#include "timeline.h"
#include "timeline_text.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostLines = 150;

int exit_code_of(const TestResult& result) {
  if (interrupted()) return kExitInterrupted;
  if (result.verdict == Verdict::grader_error) return kExitGraderError;
  return result.passed() ? kExitFull : kExitNotFull;
}

void print_timeline(const Timeline& timeline) {
  std::printf("lanes   # a call   - waits   = an operation is outstanding   * something happens   ! it fails\n");
  for (const std::string& row : lanes_of(timeline)) std::printf("%s\n", row.c_str());
  std::printf("\n%10s  %-10s %-27s%9s  %s\n", "us", "who", "call", "took us", "of what, and its result");
  for (const std::string& line : lines_of(timeline, kMostLines)) {
    std::printf("%s\n", line.find("  !! ") != std::string::npos ? red(line).c_str() : line.c_str());
  }
  for (const std::string& line : errors_of(timeline)) std::printf("%s\n", line.c_str());
  if (timeline.left_out > 0)
    std::printf("%zu events in the middle were not recorded: only the first and the last ones are kept\n",
                timeline.left_out);
}

}  // namespace

int trace(const Workspace& workspace, const TraceOptions& options) {
  const Lab& lab = workspace.lab(options.lab);
  Platform platform = workspace.platform(options.platform);
  if (!options.seed.empty()) platform.env.emplace_back("LAB_SEED", options.seed);
  const fs::path points = workspace.root / "tests/points.json";
  const std::vector<GradedTest> tests = read_points(points, lab.name);
  const GradedTest test = chosen_test(tests, options.test.empty() ? read_scenario(points, lab.name) : options.test);
  const std::string file = options.solution ? lab.solution_file() : lab.student_file();
  if (!workspace.has(file)) throw UsageError(file + " does not exist");

  TestResult result;
  result.name = test.name;
  {
    Progress progress;  // destroyed before anything is printed
    const std::string target = workspace.test_target(lab, options.solution);
    const BuildResult built = build(workspace, build_folder(workspace, platform), {target}, options.jobs, progress);
    if (built.interrupted) return kExitInterrupted;
    if (!built.ok) {
      progress.clear();
      std::fprintf(stderr, "%s does not build\n\n%s\nComplete log: %s\n", file.c_str(),
                   indented(built.error, workspace).c_str(), workspace.shown(built.log).c_str());
      return kExitBuildFailed;
    }
    progress.phase("running " + test.name);
    TestProgram program{workspace.program(platform, target), platform};
    program.timeline = TestProgram::Timeline::of_all;
    run_tests({{&program, test.seconds, &result, 0}}, 1, [](std::size_t) {});
  }
  if (interrupted()) return kExitInterrupted;
  const std::optional<Timeline> timeline = parse_timeline(result.timeline);
  if (timeline) print_timeline(*timeline);
  std::printf("\n");
  if (result.passed()) std::printf("%s  %s\n", bold(result.name).c_str(), green("passed").c_str());
  if (!result.passed()) print_failure(result, workspace, file);
  if (!timeline) {
    std::printf("there is no timeline: the program ended before the test began, or the test called nothing that is recorded\n");
    return exit_code_of(result);
  }
  const fs::path out = options.out.empty() ? workspace.build / "trace" / (lab.name + ".json") : fs::absolute(options.out);
  fs::create_directories(out.parent_path());
  std::ofstream stream(out, std::ios::binary);
  stream << result.timeline << std::flush;
  if (!stream) throw UsageError(out.string() + " cannot be written");
  std::printf("timeline: %s  (to see it as a chart, open it in ui.perfetto.dev or chrome://tracing)\n",
              workspace.shown(out).c_str());
  return exit_code_of(result);
}

}  // namespace grader
