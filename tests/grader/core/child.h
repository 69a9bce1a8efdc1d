// Child processes, bounded in time and output. Implemented twice: child_posix.cpp and child_win32.cpp.
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

// What a command and all that it starts may use together. Windows only: the job holds it; elsewhere see sandbox.h.
struct JobLimits {
  std::uint64_t memory = 0;   // bytes; 0: no limit, as below
  unsigned processes = 0;
  double cpu_seconds = 0;
  bool no_desktop = false;    // no clipboard, no windows of others, no end of the session
};

struct Command {
  std::vector<std::string> args;                          // args[0] is the program; without a slash it is looked up in PATH
  std::filesystem::path dir;                              // where it runs; empty: here
  std::vector<std::pair<std::string, std::string>> env;   // added to ours; GTEST_* variables of ours are left out
  JobLimits job;
  double limit = 0;                                       // seconds, then it is killed; 0: none
  std::function<void(std::string_view)> on_output;        // called with each piece, on the thread that called run()
};

struct Ended {
  enum class How { exited, signalled, timed_out, interrupted, could_not_start };
  How how = How::could_not_start;
  int code = 0;              // exit code or signal
  std::string output;        // stdout and stderr, in one; the middle is left out when it is long
  std::string error;         // why it could not start
  double seconds = 0;

  bool ok() const { return how == How::exited && code == 0; }
};

// Runs the command to its end, with no input. It gets a process group (Windows: a job) of its own, and whatever it
// started and left behind is killed with it. Any number of threads may call this at once.
// Ended::interrupted: the user pressed Ctrl+C.
Ended run(const Command& command);

// Lets the command have our terminal, our streams and our Ctrl+C. Returns its exit code, if it returns at all.
int hand_over(const Command& command);

// From here on Ctrl+C sets interrupted(), and nothing else.
void catch_interrupts();
bool interrupted();

// "SIGSEGV" for a signal; "0xC0000005" for a Windows status; "exit code 3" else.
std::string describe_end(const Ended& ended);

// A new empty folder that only we may use; removed with all it holds.
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

// Held while a build folder is built: two tools may be at work in one checkout.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file);  // waits; throws std::system_error
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::intptr_t handle_ = -1;
};

// Keeps the first and the last half of a text that may be endless.
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
