#include "build.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "child.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

// Returns "12/40" for "[12/40] Building ...".
std::string progress_of(const std::string& line) {
  if (line.empty() || line[0] != '[') return "";
  const std::size_t end = line.find(']');
  const std::string inner = end == std::string::npos ? "" : line.substr(1, end - 1);
  return inner.find('/') != std::string::npos && inner.find_first_not_of("0123456789/") == std::string::npos ? inner : "";
}

// Runs one step. Its output is written to the log, its counter to the progress line.
Ended run_step(Command command, std::ofstream& log, Progress& progress) {
  std::string line;
  command.on_output = [&](std::string_view piece) {
    log << piece << std::flush;
    for (const char c : piece) {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (const std::string count = progress_of(line); !count.empty()) progress.detail(count);
      line.clear();
    }
  };
  for (const std::string& arg : command.args) log << arg << ' ';
  log << "\n" << std::flush;
  return run(command);
}

bool configured(const BuildFolder& folder) {
  return fs::exists(folder.dir / "build.ninja") || (!folder.config.empty() && fs::exists(folder.dir / "CMakeCache.txt"));
}

Command configure_command(const Workspace& workspace, const BuildFolder& folder) {
  Command command;
  command.args = {"cmake", "--preset", folder.preset, "-B", folder.dir.string()};
  for (const std::string& definition : folder.definitions) command.args.push_back("-D" + definition);
  command.dir = workspace.root;
  return command;
}

std::string tail_of(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

}  // namespace

BuildFolder build_folder(const Workspace& workspace, const Platform& platform) {
  return {platform.preset, platform.preset, workspace.build_dir(platform), platform.config, {}};
}

std::string first_error(const std::string& output, const Workspace& workspace) {
  static const char* const kMarks[] = {" error: ", " fatal error: ", ": error C", ": fatal error C", "undefined reference to", "CMake Error", "ninja: error: "};
  constexpr int kLines = 6;
  std::vector<std::string> lines;
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);

  std::size_t first = lines.size();
  bool first_is_students = false;
  for (std::size_t i = 0; i < lines.size() && !first_is_students; ++i) {
    const bool error = std::any_of(std::begin(kMarks), std::end(kMarks),
                                   [&](const char* mark) { return lines[i].find(mark) != std::string::npos; });
    if (!error) continue;
    for (const Lab& lab : workspace.labs) {
      const std::size_t at = lines[i].find(lab.student_file());
      const bool solution = lines[i].find(lab.solution_file()) != std::string::npos;
      first_is_students = first_is_students || (at != std::string::npos && !solution);
    }
    if (first == lines.size() || first_is_students) first = i;
  }
  if (first == lines.size()) return tail_of(output, kLines);

  const auto is_of_another = [&](const std::string& line) {
    return !progress_of(line).empty() || line.starts_with("FAILED: ") || line.starts_with("ninja: ") || line.find(" warning: ") != std::string::npos;
  };
  // For an error in a library template, the student's own line is listed before it, as the place of instantiation.
  std::vector<std::string> shown;
  for (std::size_t i = first; !first_is_students && i-- > 0 && shown.empty() && !is_of_another(lines[i]);) {
    for (const Lab& lab : workspace.labs) {
      const std::size_t at = lines[i].find(lab.student_file() + ":");
      if (at != std::string::npos && lines[i].find(" required from ", at) != std::string::npos) shown.push_back(lines[i]);
    }
  }
  for (std::size_t i = first; i < lines.size() && i < first + kLines && (i == first || !is_of_another(lines[i])); ++i) shown.push_back(lines[i]);
  std::string text;
  const std::string root = workspace.root.generic_string() + "/";
  for (std::string& line : shown) {
    for (std::size_t at; (at = line.find(root)) != std::string::npos;) line.erase(at, root.size());
    text += line + "\n";
  }
  return text;
}

void configure_new(const Workspace& workspace, const std::vector<BuildFolder>& folders) {
  std::vector<std::jthread> configuring;
  for (const BuildFolder& folder : folders) {
    if (configured(folder)) continue;
    configuring.emplace_back([&] {
      const FileLock lock(workspace.build / (folder.name + ".lock"));
      if (!configured(folder)) run(configure_command(workspace, folder));
    });
  }
}

BuildResult build(const Workspace& workspace, const BuildFolder& folder, const std::vector<std::string>& targets,
                  unsigned jobs, Progress& progress) {
  BuildResult result;
  result.log = workspace.log("build-" + folder.name);
  const FileLock lock(workspace.build / (folder.name + ".lock"));
  std::ofstream log(result.log);

  const auto configure = [&] {
    progress.phase("configuring " + folder.name);
    Command command = configure_command(workspace, folder);
    const bool mutants = std::any_of(targets.begin(), targets.end(), [](const std::string& target) { return target.find("_mutant") != std::string::npos; });
    if (mutants) command.args.push_back("-DLAB_MUTANTS=ON");
    return run_step(std::move(command), log, progress);
  };
  const auto compile = [&] {
    std::string what = targets.front();
    if (targets.size() > 1) what += " and " + std::to_string(targets.size() - 1) + " more";
    progress.phase("building " + what + " for " + folder.name);
    Command command;
    command.args = {"cmake", "--build", folder.dir.string(), "--parallel", std::to_string(jobs)};
    if (!folder.config.empty()) command.args.insert(command.args.end(), {"--config", folder.config});
    command.args.push_back("--target");
    command.args.insert(command.args.end(), targets.begin(), targets.end());
    // Makes Ninja continue after errors
    if (folder.config.empty()) command.args.insert(command.args.end(), {"--", "-k", "0"});
    command.env = {{"NINJA_STATUS", "[%f/%t] "}};
    command.dir = workspace.root;
    return run_step(command, log, progress);
  };

  const bool fresh = !configured(folder);
  Ended ended;
  if (!fresh || (ended = configure()).ok()) ended = compile();
  // A file that defines targets was added after the folder was configured.
  if (!fresh && ended.output.find("ninja: error: unknown target") != std::string::npos && (ended = configure()).ok()) {
    ended = compile();
  }
  progress.clear();
  result.ok = ended.ok();
  result.interrupted = interrupted();
  if (!result.ok) result.error = ended.error + first_error(ended.output, workspace);
  return result;
}

std::vector<BuildResult> build_each(const Workspace& workspace, const BuildFolder& folder,
                                    const std::vector<std::string>& targets, unsigned jobs, Progress& progress) {
  std::vector<BuildResult> results;
  if (targets.empty()) return results;
  const BuildResult all = build(workspace, folder, targets, jobs, progress);
  if (all.ok || all.interrupted || targets.size() == 1) return std::vector<BuildResult>(targets.size(), all);
  for (const std::string& target : targets) {
    results.push_back(build(workspace, folder, {target}, jobs, progress));
    if (!results.back().ok) {  // the next build would overwrite the log
      const fs::path kept = workspace.log("build-" + folder.name + "-" + target);
      std::error_code ignored;
      fs::rename(results.back().log, kept, ignored);
      if (!ignored) results.back().log = kept;
    }
  }
  return results;
}

}  // namespace grader
