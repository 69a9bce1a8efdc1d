#include "instructor_cli.h"

#include <memory>

#include "../../support/base/order.h"

namespace grader {

namespace {

// Adds the options that `grade` and `compare` share.
void add_grading_options(CLI::App& command, GradingOptions& options, unsigned& jobs) {
  command.add_option("--labs", options.labs, "grade only these labs: 1,2,3")->delimiter(',');
  command.add_option("--platform", options.platform, "test on linux, asan or tsan");
  command.add_flag("--sanitizers", options.sanitizers,
                   "test natively, under ASan and under TSan: a point needs all three");
  command.add_option("--seed", options.seed, "choose the tests' random order and sizes by this seed")
      ->check([](const std::string& text) {
        return is_seed(text) ? ""
                             : "a seed is a number from 0 to 18446744073709551615, or the order that a failure "
                               "printed: 0/12.1-30.2";
      });
  command.add_option("--timeout", options.timeout, "limit each test to this many seconds instead of its own limit")
      ->check(CLI::Range(1, 3600));
  command
      .add_option("--again", options.again,
                  "repeat a failed test this often, to detect 'inconsistent'; it earns no points by that")
      ->check(CLI::Range(0, 10))
      ->capture_default_str();
  command.add_flag("--without-sandbox", options.without_sandbox,
                   "use only resource limits if bubblewrap does not run; not for untrusted code");
  command.add_option("--jobs", jobs, "run this many compilers and tests of a submission at once")
      ->check(CLI::Range(1, 256));
}

}  // namespace

bool is_seed(const std::string& text) { return test::Order::parse(text).has_value(); }

void add_instructor_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs) {
  // The options live as long as the callbacks.
  const auto graded = std::make_shared<GradeOptions>();
  const auto no_diff = std::make_shared<bool>(false);
  CLI::App* const grade_command =
      app.add_subcommand("grade", "grade students' submissions in a sandbox (for instructors)");
  grade_command->add_option("path", graded->paths, "a submission (a folder or repository with the students' files, or a .zip or .tar.gz\nof it), or a class: a folder of submissions")->required();
  add_grading_options(*grade_command, *graded, jobs);
  grade_command->add_option("--out", graded->out, "write the results to this folder (default: build/grades)");
  grade_command->add_flag("--fresh", graded->fresh, "repeat earlier grades");
  grade_command->add_flag("--no-solution-diff", *no_diff,
                          "leave the solution out of the students' pages, so that they can be handed out.\nIn a later "
                          "run it only writes the pages again and grades nothing again");
  grade_command
      ->add_option("--canvas", graded->canvas,
                   "fill this gradebook, exported from Canvas, and write it as canvas.csv next to the results")
      ->check(CLI::ExistingFile);
  grade_command->add_option("--gradescope", graded->gradescope,
                            "write the results of the one submission for Gradescope to this file");
  grade_command->footer(
      "Example: lab grade class/ --jobs 4\nindex.html shows the class, students/ has a page for each student. They "
      "need no network. By default a student's page\n"
      "shows the solution: it is for the instructor.\n"
      "After an interruption, run the same command again to continue. The exit code is 0 if all are graded, whatever\n"
      "their points; 5 for an error of the course, 130 if interrupted.");
  grade_command->callback([=, &workspace, &chosen, &jobs] {
    chosen = [=, &workspace, &jobs] {
      graded->jobs = jobs;
      graded->show_solutions = !*no_diff;
      return grade(workspace, *graded);
    };
  });

  const auto compared = std::make_shared<CompareOptions>();
  CLI::App* const compare_command =
      app.add_subcommand("compare", "grade two submissions and show how they differ (for instructors)");
  compare_command->add_option("first", compared->first, "a submission, or 'solution' for the reference")->required();
  compare_command->add_option("second", compared->second, "another submission, or 'solution'")->required();
  add_grading_options(*compare_command, *compared, jobs);
  compare_command
      ->add_option("--rounds", compared->rounds,
                   "measure the servers of each lab in this many rounds; 0: do not measure")
      ->check(CLI::Range(0, 99))
      ->capture_default_str();
  compare_command->add_option("--html", compared->html, "write a page with the files side by side to this file");
  compare_command->footer(
      "Example: lab compare class/ann solution --labs 4 --html ann.html\nThe exit code is 0 if both are graded.");
  compare_command->callback([=, &workspace, &chosen, &jobs] {
    chosen = [=, &workspace, &jobs] {
      compared->jobs = jobs;
      return compare(workspace, *compared);
    };
  });

  const auto packed = std::make_shared<PackOptions>();
  CLI::App* const pack_command =
      app.add_subcommand("gradescope", "pack this repository as an autograder for Gradescope (for instructors)");
  pack_command->add_option("zip", packed->zip, "the file to write")->required();
  pack_command->add_option("--labs,--lab", packed->labs, "grade only these labs: 1,2,3")->delimiter(',');
  pack_command->footer(
      "Example: lab gradescope lab3.zip --lab 3\nThe .zip contains the solutions. On Gradescope its setup builds and "
      "tests them, and then removes them.");
  pack_command->callback([=, &workspace, &chosen] { chosen = [=, &workspace] { return pack_gradescope(workspace, *packed); }; });
}

}  // namespace grader
