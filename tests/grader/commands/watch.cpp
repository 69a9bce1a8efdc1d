// `lab watch`: checks each time the student saves the file.
#include "watch.h"

#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "child.h"
#include "commands.h"
#include "progress.h"
#include "student.h"
#include "student_files.h"

namespace grader {

namespace {

// Checks again. The test that failed last time runs first and alone, because the student is working on it.
void check_again(const Workspace& workspace, const Lab& lab, unsigned jobs) {
  CheckOptions options;
  options.lab = std::to_string(lab.number);
  options.failed_alone = true;
  options.jobs = jobs;
  check(workspace, options);
}

}  // namespace

FileWatch::FileWatch(std::filesystem::path file) : file_(std::move(file)) { changed(); }

bool FileWatch::changed() {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file_, error);
  if (error || time == time_) return false;
  const std::string text = read_text(file_);
  if (text.empty()) return false;
  time_ = time;
  const std::string before = std::exchange(hash_, hash_of(text));
  return hash_ != before;
}

int watch(const Workspace& workspace, const std::string& number, unsigned jobs) {
  constexpr auto kPause = std::chrono::milliseconds(200);
  const Lab& lab = workspace.lab(number);
  const std::filesystem::path file = workspace.root / lab.student_file();
  if (!workspace.has(lab.student_file()))
    throw UsageError(lab.student_file() + " does not exist. Restore the starter: lab reset " + number);
  FileWatch watched(file);
  check_again(workspace, lab, jobs);
  while (!interrupted()) {
    std::printf("\n%s\n", dim("waiting until you save " + lab.student_file() + "; Ctrl+C ends this").c_str());
    std::fflush(stdout);
    while (!interrupted() && !watched.changed()) std::this_thread::sleep_for(kPause);
    if (!interrupted()) check_again(workspace, lab, jobs);
  }
  return kExitFull;  // Ctrl+C is the normal end
}

}  // namespace grader
