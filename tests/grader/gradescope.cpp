#include "gradescope.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "card.h"
#include "child.h"
#include "commands.h"
#include "handout.h"
#include "judge.h"
#include "points.h"

namespace grader {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr std::size_t kMostGradescopeOutput = 4000;  // of one test

ordered_json entry_of(const std::string& number, const std::string& name, int points, int possible, const std::string& output) {
  ordered_json entry{{"number", number}, {"name", name}, {"score", points}, {"max_score", possible}, {"status", points == possible ? "passed" : "failed"},
                     {"visibility", "visible"}};
  if (!output.empty()) {
    entry["output"] = output.size() > kMostGradescopeOutput ? output.substr(0, kMostGradescopeOutput) + "\n... cut here ...\n" : output;
    entry["output_format"] = "text";
  }
  return entry;
}

std::string output_of(const TestResult& test, const LabResult& lab, const std::string& root) {
  if (test.passed()) return "";
  std::string text = std::string(name_of(test.verdict)) + (test.reason.empty() || test.verdict == Verdict::not_started ? "" : ": " + test.reason) + "\n\n" +
                     story_of(test.output, lab.file);
  const std::string replay = card_of(test, lab.file, lab.number).replay;
  if (!replay.empty()) text += "replay: " + replay + "\n";
  for (std::size_t at; (at = text.find(root)) != std::string::npos;) text.erase(at, root.size());
  return text;
}

}  // namespace

std::string to_gradescope(const Grade& grade, const fs::path& root, const std::set<std::string>& hidden) {
  ordered_json tests = ordered_json::array();
  std::string notes;
  for (const LabResult& lab : grade.labs) {
    const std::string number = std::to_string(lab.number);
    if (lab.problem != Problem::none) {
      const std::string name = lab.name + (lab.problem == Problem::build ? ": does not compile" : lab.problem == Problem::missing ? ": not handed in" : ": grader error");
      tests.push_back(entry_of(number, name, 0, kPointsPerLab, lab.problem_text));
      tests.back()["tags"] = {lab.name};
      continue;
    }
    for (std::size_t i = 0; i < lab.tests.size(); ++i) {
      const TestResult& test = lab.tests[i];
      tests.push_back(entry_of(number + "." + std::to_string(i + 1), test.name, test.earned(), test.points, output_of(test, lab, root.generic_string() + "/")));
      tests.back()["tags"] = {lab.name};
      if (hidden.count(test.name) != 0) tests.back()["visibility"] = "after_published";
      tests.back()["extra_data"] = {{"verdict", name_of(test.verdict)}, {"rule", test.rule}, {"seed", test.seed}};
    }
  }
  for (const std::string& note : grade.notes) notes += note + "\n";
  ordered_json json{{"score", grade.earned()}, {"execution_time", static_cast<int>(grade.seconds)},
                    {"output", notes.substr(0, kMostGradescopeOutput)}, {"output_format", "text"}, {"visibility", "visible"}, {"stdout_visibility", "hidden"}, {"tests", tests}};
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

int pack_gradescope(const Workspace& workspace, const PackOptions& options) {
  workspace.need_solutions("gradescope");
  const fs::path zip = fs::absolute(options.zip);
  if (zip.extension() != ".zip") throw UsageError("the name of the file must end in .zip");
  need_writable(zip);
  std::string labs;
  for (const std::string& text : options.labs) labs += (labs.empty() ? "" : ",") + std::to_string(workspace.lab(text).number);
  for (const Lab& lab : workspace.labs) {
    if (options.labs.empty()) labs += (labs.empty() ? "" : ",") + std::to_string(lab.number);
  }
  const PrivateFolder folder;
  for (const std::string& file : files_of_course(workspace)) {
    fs::create_directories((folder.path() / "lab" / file).parent_path());
    fs::copy_file(workspace.root / file, folder.path() / "lab" / file);
  }
  for (const std::string script : {"setup.sh", "run_autograder"}) {
    fs::copy_file(workspace.root / "tests/grader/gradescope" / script, folder.path() / script);
    fs::permissions(folder.path() / script, static_cast<fs::perms>(0755));
  }
  write_whole(folder.path() / "labs", labs + "\n");
  Command command;  // CMake is there anyhow, so no program for .zip is needed
  command.args = {"cmake", "-E", "tar", "cf", zip.string(), "--format=zip", "setup.sh", "run_autograder", "labs", "lab"};
  command.dir = folder.path();
  const Ended ended = run(command);
  if (ended.how == Ended::How::interrupted) return kExitInterrupted;
  if (!ended.ok()) throw GraderError("the file cannot be packed: " + ended.error + ended.output);
  std::printf("packed labs %s into %s, %ju KB\nIt holds the solutions: upload it to Gradescope, and give it to nobody.\n"
              "On Gradescope choose a base image with CMake 3.24 or later, and 1 CPU and 2 GB at least.\n",
              labs.c_str(), workspace.shown(zip).c_str(), static_cast<std::uintmax_t>(fs::file_size(zip) / 1024));
  return kExitFull;
}

}  // namespace grader
