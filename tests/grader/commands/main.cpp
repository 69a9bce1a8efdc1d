// The command line of `lab`.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>

#include <CLI/CLI.hpp>

#include "bench_cli.h"
#include "commands.h"
#include "points.h"
#include "child.h"
#include "instructor_cli.h"
#include "progress.h"
#include "student_cli.h"

namespace {

using namespace grader;

std::string platform_names(const Workspace& workspace) {
  std::string names;
  for (const Platform& platform : workspace.platforms()) names += (names.empty() ? "" : ", ") + platform.name;
  return names;
}

int run_tool(std::vector<std::string> words) {
  // Arguments after the first `--` are for the program that is run.
  std::vector<std::string> program_arguments;
  if (const auto dashes = std::find(words.begin(), words.end(), "--"); dashes != words.end()) {
    program_arguments.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
  }
  const Workspace workspace = Workspace::from_environment();
  const std::string labs = std::to_string(workspace.labs.front().number) + " to " + std::to_string(workspace.labs.back().number);

  CLI::App app{"The IOCP lab: build, run and grade the labs."};
  app.name("lab");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 full points or all passed, 1 not, 2 bad usage, 4 the build failed, 5 an error of the course,\n"
      "130 interrupted. NO_COLOR turns colours off. LAB_BUILD_DIR is the build folder (default: build/).");
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  std::string lab, platform;

  CheckOptions check_options;
  CLI::App* check_command = app.add_subcommand("check", "build and run the graded tests of a lab, and show the points");
  check_command->add_option("lab", check_options.lab,
                            labs + ", or all. Without it: lab by lab, up to the first one without full points");
  check_command->add_flag("--solutions", check_options.solutions,
                          "grade the reference solutions instead of your files");
  check_command->add_option("--platform", platform, "test on one of: " + platform_names(workspace));
  check_command->add_flag("--sanitizers", check_options.sanitizers,
                          "test natively, under ASan and under TSan: a point needs all three");
  check_command->add_option("--test", check_options.test,
                            "run only this test: Lab04.EveryEndOfAReceiveDisconnectsOnce, or the part after the dot");
  check_command
      ->add_option("--seed", check_options.seed,
                   "choose the tests' random order and sizes by this seed; a failure prints its own")
      ->check([](const std::string& text) {
        return is_seed(text) ? ""
                             : "a seed is a number from 0 to 18446744073709551615, or the order that a failure "
                               "printed: 0/12.1-30.2";
      });
  check_command->add_flag("--own", check_options.own,
                          "run the tests over your own earlier labs, too, even without full points");
  check_command
      ->add_option(
          "--jobs", jobs,
          "run this many compilers at once, and twice as many tests natively on Linux, because tests mostly wait")
      ->check(CLI::Range(1, 256));

  HandoutOptions handout_options;
  CLI::App* handout_command = app.add_subcommand(
      "handout", "create a copy of the course for students, without solutions, wrong programs and hidden tests");
  handout_command->add_option("out", handout_options.out, "the folder to create; it may exist if it is empty")
      ->required();
  handout_command->add_flag("--zip", handout_options.zip, "also pack it as OUT.zip");
  handout_command->footer(
      "A test is hidden by \"hidden\": true in tests/points.json. The copy contains its points, but not its name or "
      "source.\n"
      "There `lab check N` runs over the student's own labs 1 to N-1, because it has no reference.");

  bool solution = false;
  CLI::App* run_command = app.add_subcommand("run", "build a lab's program and run it with the options after --");
  run_command->add_option("lab", lab, labs)->required();
  run_command->add_flag("--solution", solution, "run the reference solution instead of your files");
  run_command->add_option("--platform", platform, "run on one of: " + platform_names(workspace));
  run_command->footer("Example: lab run 4 --solution -- --port 0 --threads 2\nThe exit code is the program's.");

  TraceOptions trace_options;
  CLI::App* trace_command = app.add_subcommand("trace", "run one test of a lab and show what its threads, clients and operations did");
  trace_command->add_option("lab", trace_options.lab, labs)->required();
  trace_command->add_option("--test", trace_options.test,
                            "run this test; by default one that shows the lab in operation");
  trace_command->add_option("--seed", trace_options.seed, "choose the test's random order and sizes by this seed")
      ->check([](const std::string& text) {
        return is_seed(text) ? ""
                             : "a seed is a number from 0 to 18446744073709551615, or the order that a failure "
                               "printed: 0/12.1-30.2";
      });
  trace_command->add_flag("--solution", trace_options.solution, "run the reference solution instead of your file");
  trace_command->add_option("--platform", platform, "run on one of: " + platform_names(workspace));
  trace_command->add_option("--out", trace_options.out,
                            "write the timeline to this file (default: build/trace/LAB.json)");
  trace_command->add_option("--jobs", jobs, "run this many compilers at once")->check(CLI::Range(1, 256));
  trace_command->footer(
      "Example: lab trace 4 --test EveryEndOfAReceiveDisconnectsOnce\n"
      "The exit code is that of lab check for this test. Open the file in ui.perfetto.dev or chrome://tracing.");

  SuiteOptions suite_options;
  CLI::App* test_command = app.add_subcommand("test", "test the whole project, in about ten minutes");
  CLI::Option* const stage_option = test_command->add_option("--platform,--stage", suite_options.stage,
                                                             "run only this stage: " + suite_stages(workspace));
  CLI::Option* const quick_flag =
      test_command->add_flag("--quick", suite_options.quick, "run only native stages without sanitizers")
          ->excludes(stage_option);
  CLI::Option* const all_flag =
      test_command
          ->add_flag("--all", suite_options.all,
                     "run everything, including each program of tests/mutants that tests/mutants/RECORD.txt does not "
                     "cover,\na tenth of the others, the warnings of clang++, hostile submissions and a handout")
          ->excludes(stage_option, quick_flag);
  SoakOptions soak_options;
  CLI::Option* const mutants_flag =
      test_command
          ->add_flag(
              "--mutants", suite_options.mutants,
              "test only the programs of tests/mutants, as with --all, and run each named test as often as --runs says")
          ->excludes(stage_option, quick_flag, all_flag);
  CLI::Option* const soak_option =
      test_command
          ->add_option("--soak", soak_options.rounds,
                       "run the solutions' tests this often, on busy cores, and show the rate of failures")
          ->check(CLI::Range(1, 1000000))
          ->excludes(mutants_flag, quick_flag, all_flag);
  test_command->add_option("--runs", suite_options.runs, "run each test that must fail on a wrong program this often")
      ->check(CLI::Range(1, 1000))
      ->needs(mutants_flag)
      ->capture_default_str();
  test_command->add_option("--seed", suite_options.seed,
                           "choose the programs of tests/mutants by this seed; each run prints its own");
  test_command->add_flag("--fresh", suite_options.fresh,
                         "run all programs of tests/mutants, even recorded ones; with --all or --mutants");
  bool evidence = false;
  test_command
      ->add_flag("--evidence", evidence,
                 "find the checks that every passing run reaches, and write tests/evidence.json")
      ->excludes(quick_flag, all_flag, mutants_flag, soak_option);
  test_command->add_option("--lab", suite_options.lab, "use only this lab; with --mutants, --soak or --evidence");
  test_command->add_option("--jobs", jobs, "run this many tests and compilers at once")->check(CLI::Range(1, 256));

  CLI::App* bots_command = app.add_subcommand(
      "bots", "build and run simulated players for labs 5 and 6; all options, even --help, are for them");
  bots_command->set_help_flag();
  bots_command->prefix_command();
  bots_command->footer("Example: lab bots --port 4000 --bots 200");

  CLI::App* bench_command = app.add_subcommand("bench",
                                               "measure the labs; with a lab's number: your server against the "
                                               "reference. See also: bench --help, bench N --help");
  bench_command->add_option("--platform", platform,
                            "wine measures the Windows programs on Wine; must be the first option");
  bench_command->set_help_flag();
  bench_command->prefix_command();

  std::function<int()> other_command;
  add_student_commands(app, workspace, other_command, jobs);
  add_instructor_commands(app, workspace, other_command, jobs);

  if (words.empty()) {
    std::fputs(app.help().c_str(), stdout);
    return kExitBadUsage;
  }
  const std::vector<CLI::App*> commands = app.get_subcommands({});
  const bool known = words[0].starts_with("-") ||
                     std::any_of(commands.begin(), commands.end(), [&](const CLI::App* one) { return one->get_name() == words[0]; });
  if (!known) throw UsageError("there is no command '" + words[0] + "'; see lab --help");
  std::reverse(words.begin(), words.end());  // CLI11 expects this order
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFull : kExitBadUsage;
  }
  if (!program_arguments.empty() && (*check_command || *test_command || *handout_command || *trace_command || other_command))
    throw UsageError("options after -- are for run, bots and bench");

  catch_interrupts();
  check_options.jobs = suite_options.jobs = jobs;
  check_options.platform = platform;
  if (other_command) return other_command();
  if (*check_command) return check(workspace, check_options);
  if (*handout_command) return handout(workspace, handout_options);
  if (*trace_command) {
    trace_options.platform = platform;
    trace_options.jobs = jobs;
    return trace(workspace, trace_options);
  }
  if (*test_command) {
    if (!suite_options.lab.empty() && !*mutants_flag && !*soak_option && !evidence) throw UsageError("--lab is for --mutants, --soak and --evidence");
    if (evidence) return learn_evidence(workspace, {suite_options.stage, suite_options.lab, jobs});
    if (*soak_option) {
      soak_options.platform = suite_options.stage;
      soak_options.lab = suite_options.lab;
      soak_options.jobs = jobs;
      return soak(workspace, soak_options);
    }
    if (suite_options.fresh && !suite_options.mutants && !suite_options.all)
      throw UsageError("--fresh needs --all or --mutants");
    if (suite_options.mutants) {
      if (!suite_options.lab.empty()) workspace.lab(suite_options.lab);
      suite_options.stage = "mutants";
    }
    return run_suite(workspace, suite_options);
  }
  if (*bots_command || *bench_command) {
    std::vector<std::string> arguments = (*bots_command ? bots_command : bench_command)->remaining();
    arguments.insert(arguments.end(), program_arguments.begin(), program_arguments.end());
    if (*bots_command) return run_target(workspace, platform, "bots", arguments, jobs);
    return measure(workspace, platform, arguments, jobs);
  }
  if (solution) workspace.need_solutions("run --solution");
  return run_target(workspace, platform, workspace.lab(lab).name + (solution ? "_solution" : ""), program_arguments, jobs);
}

}  // namespace

int main(int argc, char** argv) {
  enable_terminal();
  try {
    return run_tool({argv + 1, argv + argc});
  } catch (const UsageError& error) {
    std::fprintf(stderr, "lab: %s\n", error.what());
    return kExitBadUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lab: %s\n", error.what());
    return kExitGraderError;
  }
}
