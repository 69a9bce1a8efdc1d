// The sandbox for untrusted code: it runs a submission's compiler, its linker, and each of its tests. Uses bubblewrap
// if possible, otherwise only resource limits (a job object on Windows); the report says which.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "child.h"

namespace grader {

struct Limits {
  double seconds = 60;  // wall-clock time, and CPU time of each process
  // Bytes of address space per process; 0: no limit (sanitizers reserve terabytes)
  std::uint64_t memory = 0;
  std::uint64_t file = 16 << 20;        // bytes of one file
  std::uint64_t disk = 64 << 20;        // bytes of all files in the scratch folder
  unsigned processes = 1024;            // threads included
  unsigned open_files = 4096;
};

// What a command sees in addition to the system's programs and libraries. Every path is the same inside and outside.
struct SandboxSpec {
  std::vector<std::filesystem::path> read_only;  // files or folders
  std::vector<std::filesystem::path> system;     // more system folders: a compiler outside of /usr
  std::vector<std::filesystem::path> writable;   // files or folders, on the real disk
  std::filesystem::path scratch;                 // an empty folder in memory, deleted at the end
  Limits limits;
};

// Returns whether `path` is `folder` or is below it.
inline bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const std::filesystem::path inner = path.lexically_relative(folder);
  return !inner.empty() && *inner.begin() != "..";
}

bool is_systems(const std::filesystem::path& path);  // such as a path below /usr or /lib: every sandbox shows it

class Sandbox {
 public:
  enum class Kind { bubblewrap, limits_only, job };

  // Detects what this system allows, which takes some milliseconds. The sandbox must be able to read the file
  // `readable`.
  explicit Sandbox(const std::filesystem::path& readable = {});
  Kind kind() const { return kind_; }
  std::string description() const;  // one line for messages and reports

  // Returns the command that runs `inner` in the sandbox. Its environment has only PATH, HOME, LANG, TMPDIR and
  // inner.env. It has a private loopback network and sees only its own processes.
  Command wrap(const Command& inner, const SandboxSpec& spec) const;

 private:
  enum class Identity { own, another_user };

  std::vector<std::string> bwrap_command(const SandboxSpec& spec,
                                         const std::string& dir) const;  // bwrap and its options
  bool works(const std::filesystem::path& readable) const;

  const PrivateFolder folder_;  // contains the system call filter
  Kind kind_ = Kind::bubblewrap;
  Identity identity_ = Identity::own;
  mutable std::atomic<unsigned> boxes_{0};
};

}  // namespace grader
