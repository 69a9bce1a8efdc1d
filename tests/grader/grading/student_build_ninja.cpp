// Runs Ninja's own commands for the reference, with the student's file in its place. Each step runs in a sandbox that
// shows only what it needs.
#include "student_build.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "student_files.h"
#include "symbols.h"
#include "toolchain.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

const std::string kOwnObject = "<own object>";
const std::string kOutput = "<output>";

// Joins the commands, in order, into one, because each sandbox costs time.
std::vector<std::string> joined_commands(const std::vector<std::vector<std::string>>& commands) {
  std::string script;
  for (const std::vector<std::string>& command : commands) {
    if (!script.empty()) script += " && ";
    for (std::string word : command) {
      for (std::size_t at = 0; (at = word.find('\'', at)) != std::string::npos; at += 4) word.replace(at, 1, "'\\''");
      script += "'" + word + "' ";
    }
  }
  return {"sh", "-c", script};
}

// How the programs of one lab are built.
struct Recipe {
  std::vector<std::string> compile;  // without -o and -c
  std::vector<fs::path> headers;     // everything that the compiler may see of the project
  std::vector<std::string> exports;  // the symbols that the lab needs; all others stay local to the student's object
  struct Link {
    std::string program;             // "lab03_overlapped_ex_graded_test"
    std::vector<std::string> args;   // kOwnObject and kOutput are placeholders for the files
    std::vector<fs::path> inputs;
  };
  std::vector<Link> links;  // the test program, the lab's program, and the one that counts
};

class NinjaStudentBuilder : public StudentBuilder {
 public:
  NinjaStudentBuilder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured, unsigned jobs, Progress& progress);
  std::string fingerprint(const LabTests& lab_tests) const override;
  StudentBuild build_student(const Lab& lab, const fs::path& file, const fs::path& bin,
                             const WrapInSandbox& wrap) const override;

 private:
  Recipe make_recipe(const Lab& lab, const std::vector<std::string>& ends, const std::string& commands) const;

  const fs::path folder_;
  Toolchain toolchain_;
  std::map<int, Recipe> recipes_;  // by the lab's number
};

NinjaStudentBuilder::NinjaStudentBuilder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured, unsigned jobs, Progress& progress)
    : StudentBuilder(workspace, platform), folder_(workspace.build_dir(platform)) {
  // gradescope/setup.sh has built everything and then removed the sources.
  const bool sealed = fs::exists(folder_ / "sealed");
  std::vector<std::string> ends = {"_test", ""};
  if (measured) ends.push_back("_measured");
  std::vector<std::string> targets;
  for (const Lab& lab : labs) {
    if (!sealed && !workspace.has(lab.solution_file()))
      throw GraderError(lab.solution_file() + " does not exist; grading needs it");
    for (const std::string& end : ends) targets.push_back(lab.name + "_solution" + end);
  }
  if (measured) targets.push_back("lab_versus");
  targets.push_back("futex_only");
  if (!sealed) {
    const BuildResult built = build(workspace, build_folder(workspace, platform), targets, jobs, progress);
    if (built.interrupted) return;
    if (!built.ok)
      throw GraderError("the project itself does not build:\n" + built.error +
                        "Complete log: " + workspace.shown(built.log));
  }
  progress.phase("reading how the labs are built");
  Command ninja;
  ninja.args = {"ninja", "-C", folder_.string(), "-t", "commands"};
  ninja.args.insert(ninja.args.end(), targets.begin(), targets.end());
  std::string commands;  // complete; Ended::output leaves out the middle
  ninja.on_output = [&](std::string_view piece) { commands += piece; };
  if (!run(ninja).ok()) throw GraderError("ninja -t commands failed");
  toolchain_ = read_toolchain(folder_, {workspace.root, workspace.build, fs::temp_directory_path()});
  system_ = toolchain_.folders;
  for (const Lab& lab : labs) {
    recipes_[lab.number] = make_recipe(lab, ends, commands);
    add(lab, workspace.program(platform, lab.name + "_solution_test"));
  }
  progress.clear();
}

Recipe NinjaStudentBuilder::make_recipe(const Lab& lab, const std::vector<std::string>& ends, const std::string& commands) const {
  Recipe recipe;
  const std::string own = lab.name + "/CMakeFiles/" + lab.name + "_code_solution.dir/__/" + lab.solution_file() + ".o";
  recipe.compile = without_files(compiler_command(commands, own, toolchain_.compiler));
  std::erase(recipe.compile, "-Werror");  // a student's file may cause warnings
  recipe.compile.push_back("-fno-lto");   // objcopy cannot hide names in LTO objects
  std::vector<fs::path> folders;
  for (const fs::path& folder : values_of(recipe.compile, {"-I", "-isystem", "-iquote", "-idirafter"})) folders.push_back(folder.lexically_normal());
  recipe.headers = headers_in(folders);
  Command nm;
  nm.args = {"nm", "-P", "--defined-only", "--extern-only", (folder_ / own).string()};
  recipe.exports = symbols_of(run(nm).output, kStrong);
  if (recipe.exports.empty()) throw GraderError("nm lists no symbols of " + lab.solution_file());

  for (const std::string& end : ends) {
    Recipe::Link link;
    link.program = lab.name + "_graded" + end;
    const std::string output = "bin/" + lab.name + "_solution" + end;
    for (const std::string& word : compiler_command(commands, output, toolchain_.compiler)) {
      link.args.push_back(word == own ? kOwnObject : word == output ? kOutput : word);
      const fs::path file = folder_ / word;
      std::error_code error;
      if (word != own && word != output && word != toolchain_.compiler && !is_systems(file) && fs::is_regular_file(file, error)) link.inputs.push_back(file);
    }
    // Otherwise the solution would be linked instead of a student's file.
    if (std::count(link.args.begin(), link.args.end(), kOwnObject) != 1) throw GraderError("the command for " + output + " does not name " + own);
    recipe.links.push_back(link);
  }
  return recipe;
}

std::string NinjaStudentBuilder::fingerprint(const LabTests& lab_tests) const {
  const Recipe& recipe = recipes_.at(lab_tests.lab.number);
  std::string all = fingerprint_of(lab_tests.tests);
  for (const std::string end : {"_solution_test", "_solution"})
    all += hash_of(read_all(workspace_.program(platform_, lab_tests.lab.name + end)));
  for (const std::string& word : recipe.compile) all += word + " ";
  for (const Recipe::Link& link : recipe.links) {
    for (const std::string& word : link.args) all += word + " ";
  }
  return hash_of(all);
}

StudentBuild NinjaStudentBuilder::build_student(const Lab& lab, const fs::path& file, const fs::path& bin,
                                                const WrapInSandbox& wrap) const {
  StudentBuild result;
  const Recipe& recipe = recipes_.at(lab.number);
  const PrivateFolder folder;  // contains only the source and its object
  const fs::path source = folder.path() / lab.student_file();
  const fs::path out = folder.path() / "out";
  const fs::path object = out / "own.o";
  const fs::path text = out / "own.s";
  fs::create_directories(source.parent_path());
  fs::create_directories(out);
  fs::copy_file(file, source);
  fs::permissions(source, static_cast<fs::perms>(0644));
  for (const fs::path& path : {out, bin}) fs::permissions(path, fs::perms::all);

  SandboxSpec spec;
  spec.limits = compile_limits(platform_);
  spec.system = system_;
  const auto step = [&](const std::vector<std::vector<std::string>>& commands, const std::vector<fs::path>& inputs, const fs::path& dir, const fs::path& to) {
    Command command;
    command.args = commands.size() == 1 ? commands.front() : joined_commands(commands);
    command.dir = dir;
    command.env = {{"CCACHE_DISABLE", "1"}};  // the compiler may be a link to ccache, which has no folder here
    SandboxSpec mine = spec;
    mine.read_only = inputs;
    mine.writable.push_back(out);
    if (to != out) mine.writable.push_back(to);
    const Ended ended = run(wrap(command, mine));
    result.interrupted = ended.how == Ended::How::interrupted;
    if (ended.ok() || result.interrupted) return ended;
    command.args = {"true"};
    if (ended.how == Ended::How::timed_out) {
      result.error =
          "the compiler did not end within " + std::to_string(static_cast<int>(spec.limits.seconds)) + " s\n";
    } else if (!run(wrap(command, mine)).ok() && !interrupted()) {
      result.grader_error = true;
      result.error = "the sandbox does not start the compiler: " + shown_error(ended, folder.path());
    } else {
      result.error = shown_error(ended, folder.path());
    }
    return ended;
  };

  std::vector<std::string> args = recipe.compile;
  const fs::path included = out / "included";
  args.insert(args.end(), {"-S", "-MD", "-MF", included.string(), "-o", text.string(), source.string()});
  std::vector<fs::path> inputs = recipe.headers;
  inputs.push_back(source);
  if (!step({args}, inputs, out, out).ok()) return result;
  inputs.insert(inputs.end(), system_.begin(), system_.end());
  result.error = check_included(read_all(included), inputs);
  if (result.error.empty()) result.error = check_assembler(read_all(text));
  if (!result.error.empty()) return result;

  std::vector<std::string> assemble = recipe.compile;
  // -g0: the text already contains the debug information. Clang warns about flags that only the compiler uses.
  assemble.insert(assemble.end(), {"-g0", "-Wno-unused-command-line-argument", "-c", "-o", object.string(), text.string()});
  const Ended listed = step({assemble, {"nm", "-P", object.string()}}, {}, out, out);
  if (!listed.ok()) return result;
  if (listed.output.size() >= 2 * BoundedText::kHalf) {  // a part of it is left out
    result.error = "the file has too many names\n";
    return result;
  }
  const SymbolCheck symbols = check_symbols(listed.output);
  result.notes = symbols.notes;
  if (const std::string note = sanitizer_note(read_all(source)); !note.empty()) result.notes.push_back(note);
  result.error = symbols.refused;
  if (!result.error.empty()) return result;

  // Only what the lab needs is exported from the object. Otherwise a student-defined std::string::append would replace
  // the library's in the whole program.
  std::vector<std::string> exports = shared_data(listed.output);
  exports.insert(exports.end(), recipe.exports.begin(), recipe.exports.end());
  const fs::path closed = out / "closed.o", waits = out / "waits.o";
  const auto list = [&](const std::string& name, const std::vector<std::string>& symbols) {
    std::ofstream stream(out / name);
    stream << "# " << name << "\n";  // objcopy fails on an empty file
    for (const std::string& symbol : symbols) stream << symbol << "\n";
    stream.close();
    fs::permissions(out / name, static_cast<fs::perms>(0644));
    return (out / name).string();
  };
  const fs::path futex_only = folder_ / "tests/grader/CMakeFiles/futex_only.dir/sandbox/futex_only.cpp.o";
  std::vector<std::vector<std::string>> commands = {{"objcopy", "--redefine-sym", "syscall=lab_only_futex", object.string(), waits.string()},
                                                    {"ld", "-r", "--force-group-allocation", "-o", closed.string(), waits.string(), futex_only.string()},
                                                    {"objcopy", "--weaken-symbols=" + list("unique", symbols_of(listed.output, kUnique)),
                                                     "--keep-global-symbols=" + list("exports", exports), closed.string()}};
  std::set<fs::path> link_inputs = {futex_only};
  for (const Recipe::Link& link : recipe.links) {
    commands.push_back(link.args);
    std::replace(commands.back().begin(), commands.back().end(), kOwnObject, closed.string());
    std::replace(commands.back().begin(), commands.back().end(), kOutput, (bin / link.program).string());
    link_inputs.insert(link.inputs.begin(), link.inputs.end());
  }
  if (!step(commands, {link_inputs.begin(), link_inputs.end()}, folder_, bin).ok()) return result;
  for (const Recipe::Link& link : recipe.links) fs::permissions(bin / link.program, static_cast<fs::perms>(0755));
  result.ok = true;
  return result;
}

}  // namespace

std::unique_ptr<StudentBuilder> student_builder_of_this_system(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured,
                                             unsigned jobs, Progress& progress) {
  return std::make_unique<NinjaStudentBuilder>(workspace, platform, labs, measured, jobs, progress);
}

}  // namespace grader
