#include "instructor_cli.h"

#include <memory>

#include "../../support/base/order.h"

namespace grader {

namespace {

// What `grade` and `compare` have in common.
void add_grading_options(CLI::App& command, GradingOptions& options, unsigned& jobs) {
  command.add_option("--labs", options.labs, "only these: 1,2,3")->delimiter(',');
  command.add_option("--platform", options.platform, "linux, asan or tsan");
  command.add_flag("--sanitizers", options.sanitizers, "natively, under ASan and under TSan: a point needs all three");
  command.add_option("--seed", options.seed, "what the tests draw their order and sizes from")
      ->check([](const std::string& text) { return is_seed(text) ? "" : "a seed is a number from 0 to 18446744073709551615, or what a failure printed: 0/12.1-30.2"; });
  command.add_option("--timeout", options.timeout, "seconds for each test, instead of its own limit")->check(CLI::Range(1, 3600));
  command.add_option("--again", options.again, "a failed test is run this often again, to tell 'inconsistent'; it earns nothing by that")
      ->check(CLI::Range(0, 10))->capture_default_str();
  command.add_flag("--without-sandbox", options.without_sandbox, "where bubblewrap does not run: with resource limits only. Not for strangers' code");
  command.add_option("--jobs", jobs, "compilers and tests at once, of one submission")->check(CLI::Range(1, 256));
}

}  // namespace

bool is_seed(const std::string& text) { return test::Order::parse(text).has_value(); }

void add_instructor_commands(CLI::App& app, const Workspace& workspace, std::function<int()>& chosen, unsigned& jobs) {
  // The options live as long as the callbacks do.
  const auto graded = std::make_shared<GradeOptions>();
  const auto no_diff = std::make_shared<bool>(false);
  CLI::App* const grade_command = app.add_subcommand("grade", "grade submissions of students in a sandbox, for instructors");
  grade_command->add_option("path", graded->paths, "a submission (a folder or repository with the students' files, or a .zip or .tar.gz\nof it), or a class: a folder of submissions")->required();
  add_grading_options(*grade_command, *graded, jobs);
  grade_command->add_option("--out", graded->out, "the folder of the results; it is build/grades by default");
  grade_command->add_flag("--fresh", graded->fresh, "grade again what was graded before");
  grade_command->add_flag("--no-solution-diff", *no_diff, "students' pages without the solution beside their files, to hand out. Given\nlater, it makes the pages again and grades nothing again");
  grade_command->add_option("--canvas", graded->canvas, "a gradebook exported from Canvas; it is filled and written as canvas.csv beside the results")->check(CLI::ExistingFile);
  grade_command->add_option("--gradescope", graded->gradescope, "the path is one submission; its results for Gradescope go into this file");
  grade_command->footer("Example: lab grade class/ --jobs 4\nindex.html is the class, students/ has a page for each. They need no network. By default a student's page shows the\n"
                        "solution: it is for the instructor.\n"
                        "Interrupted, the same command goes on where it stopped. The exit code is 0 when all are graded, whatever\n"
                        "their points; 5 for a fault of the course, 130 when interrupted.");
  grade_command->callback([=, &workspace, &chosen, &jobs] {
    chosen = [=, &workspace, &jobs] {
      graded->jobs = jobs;
      graded->show_solutions = !*no_diff;
      return grade(workspace, *graded);
    };
  });

  const auto compared = std::make_shared<CompareOptions>();
  CLI::App* const compare_command = app.add_subcommand("compare", "grade two submissions and show how they differ, for instructors");
  compare_command->add_option("first", compared->first, "a submission, or 'solution' for the reference")->required();
  compare_command->add_option("second", compared->second, "another")->required();
  add_grading_options(*compare_command, *compared, jobs);
  compare_command->add_option("--rounds", compared->rounds, "rounds in which the servers of each lab are measured; 0: they are not")
      ->check(CLI::Range(0, 99))->capture_default_str();
  compare_command->add_option("--html", compared->html, "a page with the files side by side");
  compare_command->footer("Example: lab compare class/ann solution --labs 4 --html ann.html\nThe exit code is 0 when both are graded.");
  compare_command->callback([=, &workspace, &chosen, &jobs] {
    chosen = [=, &workspace, &jobs] {
      compared->jobs = jobs;
      return compare(workspace, *compared);
    };
  });

  const auto packed = std::make_shared<PackOptions>();
  CLI::App* const pack_command = app.add_subcommand("gradescope", "pack this repository as an autograder for Gradescope, for instructors");
  pack_command->add_option("zip", packed->zip, "the file that is written")->required();
  pack_command->add_option("--labs,--lab", packed->labs, "only these: 1,2,3")->delimiter(',');
  pack_command->footer("Example: lab gradescope lab3.zip --lab 3\nThe .zip holds the solutions. On Gradescope its setup builds and tries them, and then takes them away.");
  pack_command->callback([=, &workspace, &chosen] { chosen = [=, &workspace] { return pack_gradescope(workspace, *packed); }; });
}

}  // namespace grader
