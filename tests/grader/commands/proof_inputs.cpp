#include "proof_inputs.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "build.h"
#include "child.h"
#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

// The files of the tool that affect a verdict.
constexpr const char* kJudges[] = {"commands/mutants.cpp", "core/child_posix.cpp", "run/runner.cpp", "run/verdict.cpp"};

std::string ninja(const fs::path& folder, const std::vector<std::string>& words) {
  Command command;
  command.args = {"ninja", "-C", folder.string()};
  command.args.insert(command.args.end(), words.begin(), words.end());
  std::string output;  // complete; Ended::output leaves out the middle
  command.on_output = [&](std::string_view piece) { output += piece; };
  if (!run(command).ok() && !interrupted()) throw GraderError("ninja " + words.back() + " fails:\n" + output.substr(0, 1000));
  return output;
}

std::string version_of(const std::string& compiler) {
  Command command;
  command.args = {compiler, "--version"};
  const std::string output = run(command).output;
  return output.substr(0, output.find('\n'));
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

// Returns the object of a compile command, the word after -o, or an empty string for other commands.
std::string object_of(const std::string& command) {
  const std::size_t at = command.find(" -o ");
  if (at == std::string::npos || command.find(" -c ") == std::string::npos) return "";
  return command.substr(at + 4, command.find(' ', at + 4) - at - 4);
}

// Returns the sources of each object of a build folder. Parses the output of `ninja -t deps`: objects unindented, files
// below.
std::map<std::string, std::vector<std::string>> read_dependencies(const std::string& text) {
  std::map<std::string, std::vector<std::string>> all;
  std::vector<std::string>* files = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    ")) {
      if (files != nullptr) files->push_back(line.substr(4));
    } else if (const std::size_t end = line.find(": #deps "); end != std::string::npos) {
      files = &all[line.substr(0, end)];
    }
  }
  return all;
}

// A build folder, read only once for all labs.
struct Folder {
  fs::path path;
  std::string compiler, version;
  std::map<std::string, std::vector<std::string>> dependencies;
};

// The path and the digest of each file of the project, without duplicates.
class ProjectFiles {
 public:
  ProjectFiles(const fs::path& root, const fs::path& build) : root_(root), build_(build) {}

  // Ignores files of the system and generated ones.
  void add(const fs::path& file) {
    const fs::path path = file.lexically_normal();
    const std::string name = path.lexically_relative(root_).generic_string();
    const std::string inner = path.lexically_relative(build_).generic_string();
    if (name.empty() || name.starts_with("..") || (!inner.empty() && !inner.starts_with(".."))) return;
    lines_.insert(name + " " + hash_of(read_text(path)));
  }
  std::string lines() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }

 private:
  const fs::path root_, build_;
  std::set<std::string> lines_;
};

std::string digest_of(const Workspace& workspace, const Folder& folder, const Lab& lab) {
  const std::string target = lab.name + "_solution";
  ProjectFiles files(workspace.root, workspace.build);
  std::set<std::string> commands;
  std::istringstream lines(ninja(folder.path, {"-t", "commands", target, target + "_test", lab.name + "_mutant_headers"}));
  for (std::string line; std::getline(lines, line);) {
    const std::string object = object_of(line);
    if (object.empty() || line.find(lab.solution_file()) != std::string::npos) continue;
    commands.insert(portable_command(line, folder.compiler, workspace.root, workspace.build));
    const auto found = folder.dependencies.find(object);
    if (found == folder.dependencies.end()) continue;  // the headers of mutants are added below
    for (const std::string& file : found->second) files.add(folder.path / file);
  }
  for (const Lab& seen : workspace.labs) {  // a program may include what the solution does not
    if (seen.number > lab.number) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(workspace.root / seen.name)) {
      if (entry.path().extension() == ".h") files.add(entry.path());
    }
  }
  for (const char* const judge : kJudges) files.add(workspace.root / "tests/grader" / judge);
  std::string all = folder.version + "\n";
  for (const std::string& command : commands) all += command + "\n";
  return hash_of(all + files.lines());
}

std::string text_of_test(const GradedTest& test) {
  std::string text = test.name + " " + std::to_string(test.seconds);
  for (const std::string& place : test.places) text += "\n" + place;
  return text;
}

}  // namespace

std::string portable_command(const std::string& command, const std::string& compiler, const fs::path& root,
                             const fs::path& build) {
  const std::size_t at = command.find(compiler);
  std::string text = at == std::string::npos ? command : command.substr(at);
  replace_all(text, build.string(), "BUILD");  // first, because it may be below the root
  replace_all(text, root.string(), "ROOT");
  return text;
}

ProofInputs::ProofInputs(const Workspace& workspace, const std::vector<Lab>& labs, const std::vector<Platform>& platforms,
                         unsigned jobs, Progress& progress)
    : workspace_(workspace) {
  for (const Platform& platform : platforms) {
    std::vector<std::string> targets;
    for (const Lab& lab : labs) {
      targets.push_back(workspace.test_target(lab, true));
      targets.push_back(lab.name + "_mutant_headers");  // the folder knows the mutants then
    }
    const BuildResult built = build(workspace, build_folder(workspace, platform), targets, jobs, progress);
    if (built.interrupted) return;
    if (!built.ok) {
      throw GraderError("the solutions do not build:\n" + built.error + "Complete log: " + workspace.shown(built.log));
    }
    progress.phase("reading what decides the verdicts on " + platform.name);
    Folder folder;
    folder.path = workspace.build_dir(platform);
    std::getline(std::istringstream(read_text(folder.path / "toolchain")) >> std::ws, folder.compiler);  // see toolchain.h
    folder.version = version_of(folder.compiler);
    folder.dependencies = read_dependencies(ninja(folder.path, {"-t", "deps"}));
    for (const Lab& lab : labs) {
      if (interrupted()) return;
      digests_[{platform.name, lab.number}] = digest_of(workspace, folder, lab);
    }
  }
  progress.clear();
}

std::string ProofInputs::of_lab(const Platform& platform, const Lab& lab) const {
  return digests_.at({platform.name, lab.number});
}

std::string ProofInputs::of(const WrongProgram& program, const Lab& lab, const std::vector<GradedTest>& graded) const {
  std::string all = read_text(workspace_.root / "tests/mutants" / lab.name / (program.name + ".cpp"));
  all += std::string("\n") + name_of(program.verdict) + " " + program.rule;
  for (const std::string& name : program.tests) {
    const auto test = std::find_if(graded.begin(), graded.end(), [&](const GradedTest& one) { return one.name == name; });
    if (test != graded.end()) all += " " + text_of_test(*test);
  }
  return hash_of(all + of_lab(workspace_.platform(program.platform), lab));
}

std::string ProofInputs::of(const RightProgram& program, const Lab& lab, const std::vector<GradedTest>& graded) const {
  std::string all = read_text(workspace_.root / "tests/mutants" / lab.name / (program.name + ".cpp"));
  for (const GradedTest& test : graded) {
    all += " " + text_of_test(test) + " " + std::to_string(test.points);
  }
  for (const auto& [place, digest] : digests_) {
    if (place.second == lab.number) all += " " + place.first + " " + digest;
  }
  return hash_of(all);
}

}  // namespace grader
