// Child processes, bounded in time and output. Implemented in child_posix.cpp and child_win32.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grader {

// Limits for a command and all processes that it starts, together. Windows only, by a job object; elsewhere see
// sandbox.h.
struct JobLimits {
  std::uint64_t memory = 0;   // bytes; 0: no limit, as below
  unsigned processes = 0;
  double cpu_seconds = 0;
  bool no_desktop = false;  // no access to the clipboard or other windows, and no log-off or shutdown
};

struct Command {
  // Args[0] is the program; without a slash it is searched in PATH
  std::vector<std::string> args;
  std::filesystem::path dir;  // working directory; empty: the current one
  // Added to the tool's environment, which is passed on without its GTEST_* variables
  std::vector<std::pair<std::string, std::string>> env;
  JobLimits job;
  double limit = 0;  // seconds until the process is killed; 0: no limit
  // Called with each piece of output, on the thread that called run()
  std::function<void(std::string_view)> on_output;
};

struct Ended {
  enum class How { exited, signalled, timed_out, interrupted, could_not_start };
  How how = How::could_not_start;
  int code = 0;              // exit code or signal
  std::string output;        // stdout and stderr combined; the middle of a long output is left out
  std::string error;         // why the process could not start
  double seconds = 0;

  bool ok() const { return how == How::exited && code == 0; }
};

// Runs the command to its end, without input. The command gets its own process group (Windows: its own job). Processes
// that it leaves behind are killed with the group. May be called from several threads at once. The result is
// Ended::interrupted if the user pressed Ctrl+C.
Ended run(const Command& command);

// Runs the command on the tool's terminal and streams; Ctrl+C reaches the command. Returns its exit code, if it returns
// at all.
int hand_over(const Command& command);

// Makes Ctrl+C set interrupted(), and do nothing else.
void catch_interrupts();
bool interrupted();

// Returns "SIGSEGV" for a signal, "0xC0000005" for a Windows status, otherwise "exit code 3".
std::string describe_end(const Ended& ended);

// A new empty folder that only the tool's user may enter. The destructor removes it with its contents.
class PrivateFolder {
 public:
  PrivateFolder();   // throws std::system_error
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Held while a build folder is built, because two tools may run in one checkout.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file);  // waits; throws std::system_error
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::intptr_t handle_ = -1;
};

// Keeps the first and the last half of a text of any length.
class BoundedText {
 public:
  static constexpr std::size_t kHalf = 512 * 1024;

  void add(std::string_view piece) {
    total_ += piece.size();
    if (head_.size() < kHalf) {
      const std::size_t room = kHalf - head_.size();
      head_.append(piece.substr(0, room));
      piece.remove_prefix(std::min(room, piece.size()));
    }
    tail_.append(piece);
    if (tail_.size() > 2 * kHalf) tail_.erase(0, tail_.size() - kHalf);
  }
  std::string text() const {
    const std::size_t skipped = tail_.size() > kHalf ? tail_.size() - kHalf : 0;
    const std::uint64_t lost = total_ - head_.size() - (tail_.size() - skipped);
    if (lost == 0) return head_ + tail_;
    return head_ + "\n... " + std::to_string(lost) + " bytes are left out here ...\n" + tail_.substr(skipped);
  }

 private:
  std::string head_, tail_;
  std::uint64_t total_ = 0;
};

}  // namespace grader
