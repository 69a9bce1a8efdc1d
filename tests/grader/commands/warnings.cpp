#include "warnings.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <sstream>

#include "child.h"
#include "parallel_for.h"
#include "student_build.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

// Converts a compile command of Ninja for another compiler: no launcher, no precompiled header, no object.
std::vector<std::string> checking_command(const std::vector<std::string>& words, const std::string& compiler) {
  std::vector<std::string> checked = {compiler};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-o" || word == "-MT" || word == "-MF" || word == "-include") {
      ++i;
    } else if (word == "-c" && i + 1 < words.size()) {
      checked.push_back(words[++i]);
    } else if (word.size() > 1 && (word.starts_with("-I") || word.starts_with("-D") || word.starts_with("-W") || word.starts_with("-std="))) {
      if (word != "-Winvalid-pch") checked.push_back(word);
    } else if (word == "-isystem" && i + 1 < words.size()) {
      checked.insert(checked.end(), {word, words[++i]});
    }
  }
  checked.insert(checked.end(), {"-Werror", "-fsyntax-only"});
  return checked;
}

}  // namespace

std::vector<Warned> warnings_of(const Workspace& workspace, const Platform& platform, const std::string& compiler, unsigned jobs,
                                Progress& progress) {
  const fs::path folder = workspace.build_dir(platform);
  Command list;
  list.args = {"ninja", "-C", folder.string(), "-t", "commands", "all"};
  std::string lines;  // complete; Ended::output leaves out the middle
  list.on_output = [&](std::string_view piece) { lines += piece; };
  if (!run(list).ok()) return {};
  std::map<std::string, std::vector<std::string>> sources;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    const std::vector<std::string> words = split_command(line);
    const auto at = std::find(words.begin(), words.end(), "-c");
    if (at == words.end() || at + 1 == words.end()) continue;
    const bool ours = (at + 1)->starts_with(workspace.root.string()) || at[1].find("/Unity/") != std::string::npos;
    const bool header = at[1].find("cmake_pch") != std::string::npos;
    if (ours && !header && at[1].find("/_deps/") == std::string::npos) sources[at[1]] = checking_command(words, compiler);
  }
  std::vector<std::vector<std::string>> commands;
  for (auto& source : sources) commands.push_back(source.second);

  progress.phase("compiling with " + compiler);
  std::atomic<std::size_t> done{0};
  std::mutex mutex;  // protects `warned`
  std::vector<Warned> warned;
  parallel_for(commands.size(), jobs, [&](std::size_t i) {
    Command command;
    command.args = commands[i];
    command.dir = folder;
    const Ended ended = run(command);
    progress.detail(std::to_string(++done) + "/" + std::to_string(commands.size()));
    if (ended.ok() || interrupted()) return;
    const std::string source = commands[i][commands[i].size() - 3];
    std::lock_guard lock(mutex);
    warned.push_back({workspace.shown(source), ended.output + ended.error});
  });
  progress.clear();
  return warned;
}

}  // namespace grader
