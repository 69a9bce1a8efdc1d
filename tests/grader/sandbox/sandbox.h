// A box for code that nobody trusts: a submission's compiler run, its link, each of its tests. By bubblewrap where that
// works; where it does not, by resource limits alone, on Windows by a job object, and the report says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "child.h"

namespace grader {

struct Limits {
  double seconds = 60;                  // by the clock; also of CPU time, for each process
  std::uint64_t memory = 0;             // bytes of address space of each process; 0: none (sanitizers reserve terabytes)
  std::uint64_t file = 16 << 20;        // bytes of one file
  std::uint64_t disk = 64 << 20;        // bytes of all files in the scratch folder
  unsigned processes = 1024;            // and threads
  unsigned open_files = 4096;
};

// What a command sees beside the system's programs and libraries. Every path is the same inside and outside.
struct Box {
  std::vector<std::filesystem::path> read_only;  // files or folders
  std::vector<std::filesystem::path> system;     // more of the system: a compiler outside of /usr
  std::vector<std::filesystem::path> writable;   // files or folders, on the real disk
  std::filesystem::path scratch;                 // an empty folder in memory, gone at the end
  Limits limits;
};

// Also true for the folder itself.
inline bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const std::filesystem::path inner = path.lexically_relative(folder);
  return !inner.empty() && *inner.begin() != "..";
}

bool is_systems(const std::filesystem::path& path);  // below /usr or /lib, for example: every sandbox shows it

class Sandbox {
 public:
  enum class Kind { bubblewrap, limits_only, job };

  // Probes what this system allows; that takes some milliseconds. A box must be able to read the file `readable`.
  explicit Sandbox(const std::filesystem::path& readable = {});
  Kind kind() const { return kind_; }
  std::string description() const;  // one line for people and reports

  // The command that runs `inner` in the box. Its environment is empty but for PATH, HOME, LANG, TMPDIR and inner.env.
  // Its network is a loopback of its own; it sees no process but its own.
  Command wrap(const Command& inner, const Box& box) const;

 private:
  enum class Identity { own, another_user };

  std::vector<std::string> walls(const Box& box, const std::string& dir) const;  // bwrap and its options
  bool works(const std::filesystem::path& readable) const;

  const PrivateFolder folder_;  // of the filter of system calls
  Kind kind_ = Kind::bubblewrap;
  Identity identity_ = Identity::own;
  mutable std::atomic<unsigned> boxes_{0};
};

}  // namespace grader
