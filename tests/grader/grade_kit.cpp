#include "grade_kit.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "student_files.h"
#include "symbols.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

const std::string kOwnObject = "<own object>";
const std::string kOutput = "<output>";
constexpr std::size_t kMostError = 4000;
constexpr std::uint64_t kMegabyte = 1 << 20;

// The line of `commands` that writes `output`.
std::vector<std::string> command_for(const std::string& commands, const std::string& output) {
  std::istringstream lines(commands);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" -o " + output + " ") != std::string::npos) return split_command(line);
  }
  throw GraderError("Ninja has no command for " + output);
}

// Headers below a folder; not the .cpp files, which may be somebody's solution.
void add_headers(const fs::path& folder, std::set<fs::path>& headers) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string end = entry.path().extension().string();
    if (entry.is_regular_file(error) && (end == ".h" || end == ".inc")) headers.insert(entry.path());
  }
}

// The commands, one after the other, as one: each box costs time.
std::vector<std::string> one_after_the_other(const std::vector<std::vector<std::string>>& commands) {
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

std::string bounded(std::string text) {
  if (text.size() > kMostError) text = text.substr(0, kMostError) + "\n... the rest is left out ...\n";
  return text;
}

}  // namespace

std::vector<std::string> split_command(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
    } else if (quote != '\0') {
      word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ') {
      if (in_word) words.push_back(word);
      word.clear();
      in_word = false;
      continue;
    } else {
      word += c;
    }
    in_word = true;
  }
  if (in_word) words.push_back(word);
  return words;
}

std::string check_included(std::string rule, const std::vector<fs::path>& allowed) {
  for (std::size_t at; (at = rule.find("\\\n")) != std::string::npos;) rule.replace(at, 2, " ");
  std::vector<std::string> words = split_command(rule);
  if (!words.empty()) words.erase(words.begin());  // "own.s:"
  for (std::string file : words) {
    if (!file.empty() && file.back() == '\n') file.pop_back();
    const fs::path path = fs::path(file).lexically_normal();
    const bool systems = path.string().rfind("/usr/", 0) == 0;
    if (!file.empty() && !systems && std::find(allowed.begin(), allowed.end(), path) == allowed.end()) {
      return "the file includes " + path.filename().string() + ", which is not one of the given headers\n";
    }
  }
  return "";
}

std::string read_all(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

GradeKit::GradeKit(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool measured, unsigned jobs, Progress& progress)
    : workspace_(workspace), platform_(platform), folder_(workspace.build_dir(platform)) {
  // gradescope/setup.sh has built everything and then taken the sources away.
  const bool sealed = fs::exists(folder_ / "sealed");
  std::vector<std::string> ends = {"_test", ""};
  if (measured) ends.push_back("_measured");
  std::vector<std::string> targets;
  for (const Lab& lab : labs) {
    if (!sealed && !workspace.has(lab.solution_file())) throw GraderError(lab.solution_file() + " is not there; grading needs it");
    for (const std::string& end : ends) targets.push_back(lab.name + "_solution" + end);
  }
  if (measured) targets.push_back("lab_versus");
  if (!sealed) {
    const BuildResult built = build(workspace, build_folder(workspace, platform), targets, jobs, progress);
    if (built.interrupted) return;
    if (!built.ok) throw GraderError("the project itself does not build:\n" + built.error + "All of it: " + workspace.shown(built.log));
  }
  progress.phase("reading how the labs are built");
  Command ninja;
  ninja.args = {"ninja", "-C", folder_.string(), "-t", "commands"};
  ninja.args.insert(ninja.args.end(), targets.begin(), targets.end());
  std::string commands;  // all of it: Ended::output leaves out the middle
  ninja.on_output = [&](std::string_view piece) { commands += piece; };
  if (!run(ninja).ok()) throw GraderError("ninja -t commands failed");
  for (const Lab& lab : labs) {
    kits_.push_back(make_kit(lab, ends, commands));
    std::string why;
    const auto existing = list_tests({workspace.program(platform, lab.name + "_solution_test"), platform}, why);
    const std::string differences = existing.empty() ? why : compare_points(kits_.back().tests, existing);
    if (!differences.empty() && !interrupted()) throw GraderError(lab.name + ": " + differences);
  }
  progress.clear();
}

LabKit GradeKit::make_kit(const Lab& lab, const std::vector<std::string>& ends, const std::string& commands) const {
  LabKit kit;
  kit.lab = lab;
  kit.tests = read_points(workspace_.root / "tests/points.json", lab.name);
  const std::string own = lab.name + "/CMakeFiles/" + lab.name + "_code_solution.dir/__/" + lab.solution_file() + ".o";
  const std::vector<std::string> compile = command_for(commands, own);
  std::set<fs::path> headers;
  for (std::size_t i = 0; i < compile.size(); ++i) {
    const std::string& word = compile[i];
    if (word == "-o" || word == "-c" || word == "-MT" || word == "-MF") {
      ++i;
    } else if (word != "-MD") {
      kit.compile.push_back(word);
    }
    if (word.rfind("-I", 0) == 0) add_headers(fs::path(word.substr(2)).lexically_normal(), headers);
  }
  kit.headers.assign(headers.begin(), headers.end());
  Command nm;
  nm.args = {"nm", "-P", "--defined-only", "--extern-only", (folder_ / own).string()};
  kit.exports = symbols_of(run(nm).output, kStrong);
  if (kit.exports.empty()) throw GraderError("nm does not say what " + lab.solution_file() + " defines");

  for (const std::string& end : ends) {
    LabKit::Link link;
    link.program = lab.name + "_graded" + end;
    const std::string output = "bin/" + lab.name + "_solution" + end;
    const std::vector<std::string> words = command_for(commands, output);
    for (const std::string& word : words) {
      if (word == "&&" || word == ":") continue;  // Ninja's frame: ": && command && :"
      link.args.push_back(word == own ? kOwnObject : word == output ? kOutput : word);
      std::error_code error;
      if (word != own && word != output && word[0] != '-' && word[0] != '/' && fs::is_regular_file(folder_ / word, error)) {
        link.inputs.push_back(folder_ / word);
      }
    }
    kit.links.push_back(link);
  }
  return kit;
}

std::string GradeKit::fingerprint() const {
  std::string all;
  for (const LabKit& kit : kits_) {
    for (const std::string end : {"_solution_test", "_solution"}) all += hash_of(read_all(workspace_.program(platform_, kit.lab.name + end)));
    for (const std::string& word : kit.compile) all += word + " ";
    for (const GradedTest& test : kit.tests) all += test.name + std::to_string(test.points) + std::to_string(test.seconds);
  }
  return hash_of(all);
}

StudentBuild GradeKit::build_student(const LabKit& kit, const fs::path& file, const fs::path& bin, const Sandbox& sandbox) const {
  StudentBuild result;
  const PrivateFolder folder;  // the source and its object, and nothing else
  const fs::path source = folder.path() / kit.lab.student_file();
  const fs::path out = folder.path() / "out";
  const fs::path object = out / "own.o";
  const fs::path text = out / "own.s";
  fs::create_directories(source.parent_path());
  fs::create_directories(out);
  fs::copy_file(file, source);
  fs::permissions(source, static_cast<fs::perms>(0644));
  for (const fs::path& path : {out, bin}) fs::permissions(path, fs::perms::all);

  Box box;
  box.limits.seconds = 120 * platform_.patience;
  box.limits.memory = 3072 * kMegabyte;
  box.limits.file = 256 * kMegabyte;
  box.limits.processes = 64;
  const auto step = [&](const std::vector<std::vector<std::string>>& commands, const std::vector<fs::path>& inputs, const fs::path& dir, const fs::path& to) {
    Command command;
    command.args = commands.size() == 1 ? commands.front() : one_after_the_other(commands);
    command.dir = dir;
    Box mine = box;
    mine.read_only = inputs;
    mine.writable.push_back(out);
    if (to != out) mine.writable.push_back(to);
    const Ended ended = run(sandbox.wrap(command, mine));
    result.interrupted = ended.how == Ended::How::interrupted;
    if (ended.ok() || result.interrupted) return ended;
    command.args = {"true"};
    if (ended.how == Ended::How::timed_out) {
      result.error = "the compiler did not end within " + std::to_string(static_cast<int>(box.limits.seconds)) + " s\n";
    } else if (!run(sandbox.wrap(command, mine)).ok() && !interrupted()) {
      result.grader_error = true;
      result.error = "the sandbox does not start the compiler: " + bounded(ended.error + ended.output);
    } else {
      std::string text = ended.error + ended.output;
      for (std::size_t at; (at = text.find(folder.path().string() + "/")) != std::string::npos;) text.erase(at, folder.path().string().size() + 1);
      result.error = bounded(first_error(text, workspace_));
      if (result.error.empty()) result.error = "the compiler ended with " + describe_end(ended) + "\n";
    }
    return ended;
  };

  std::vector<std::string> args = kit.compile;
  const fs::path included = out / "included";
  args.insert(args.end(), {"-S", "-MD", "-MF", included.string(), "-o", text.string(), source.string()});
  std::vector<fs::path> inputs = kit.headers;
  inputs.push_back(source);
  if (!step({args}, inputs, out, out).ok()) return result;
  result.error = check_included(read_all(included), inputs);
  if (result.error.empty()) result.error = check_assembler(read_all(text));
  if (!result.error.empty()) return result;

  const Ended listed = step({{kit.compile.front(), "-c", "-o", object.string(), text.string()}, {"nm", "-P", object.string()}}, {}, out, out);
  if (!listed.ok()) return result;
  if (listed.output.size() >= 2 * BoundedText::kHalf) {  // some of it is left out
    result.error = "the file has too many names\n";
    return result;
  }
  const SymbolCheck symbols = check_symbols(listed.output);
  result.notes = symbols.notes;
  result.error = symbols.refused;
  if (!result.error.empty()) return result;

  // Only what the lab asks for leaves the object. A std::string::append of the student's own would else be everybody's.
  std::vector<std::string> exports = shared_data(listed.output);
  exports.insert(exports.end(), kit.exports.begin(), kit.exports.end());
  const fs::path closed = out / "closed.o";
  const auto list = [&](const std::string& name, const std::vector<std::string>& symbols) {
    std::ofstream stream(out / name);
    stream << "# " << name << "\n";  // objcopy fails on an empty file
    for (const std::string& symbol : symbols) stream << symbol << "\n";
    stream.close();
    fs::permissions(out / name, static_cast<fs::perms>(0644));
    return (out / name).string();
  };
  std::vector<std::vector<std::string>> commands = {{"ld", "-r", "--force-group-allocation", "-o", closed.string(), object.string()},
                                                    {"objcopy", "--weaken-symbols=" + list("unique", symbols_of(listed.output, kUnique)),
                                                     "--keep-global-symbols=" + list("exports", exports), closed.string()}};
  std::set<fs::path> link_inputs;
  for (const LabKit::Link& link : kit.links) {
    commands.push_back(link.args);
    std::replace(commands.back().begin(), commands.back().end(), kOwnObject, closed.string());
    std::replace(commands.back().begin(), commands.back().end(), kOutput, (bin / link.program).string());
    link_inputs.insert(link.inputs.begin(), link.inputs.end());
  }
  if (!step(commands, {link_inputs.begin(), link_inputs.end()}, folder_, bin).ok()) return result;
  for (const LabKit::Link& link : kit.links) fs::permissions(bin / link.program, static_cast<fs::perms>(0755));
  result.ok = true;
  return result;
}

TestProgram GradeKit::program(const LabKit& kit, const fs::path& bin, const Sandbox& sandbox) const {
  TestProgram program{bin / kit.links.front().program, platform_};
  program.timeline = TestProgram::Timeline::of_failures;
  const bool sanitized = platform_.sanitized;
  program.guard = [bin, &sandbox, sanitized](const Command& command, const fs::path& folder, const std::vector<fs::path>& files) {
    Box box;
    box.read_only = {bin};
    box.writable = files;
    box.scratch = folder;
    box.limits.seconds = command.limit;
    box.limits.memory = sanitized ? 0 : 4096 * kMegabyte;
    return sandbox.wrap(command, box);
  };
  return program;
}

}  // namespace grader
