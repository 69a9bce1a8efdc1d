#include "sandbox.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include <unistd.h>

#include "system_calls.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

using Args = std::vector<std::string>;

void add(Args& args, std::initializer_list<std::string> more) { args.insert(args.end(), more); }

// The first UID for sandboxes. When started as root, each sandbox runs under its own unprivileged UID: RLIMIT_NPROC
// does not apply to root, and it counts all processes of a user.
constexpr unsigned kFirstUser = 1'946'000'000;
constexpr unsigned kUsers = 4096;

constexpr const char* kSystem[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
constexpr const char* kFilter = "filter";

void add_system(Args& args) {
  for (const std::string folder : kSystem) {
    std::error_code error;
    if (fs::is_symlink(folder, error)) {
      add(args, {"--symlink", fs::read_symlink(folder, error).string(), folder});
    } else if (fs::exists(folder, error)) {
      add(args, {"--ro-bind", folder, folder});
    }
  }
  for (const std::string file : {"/etc/alternatives", "/etc/ld.so.cache"}) add(args, {"--ro-bind-try", file, file});
}

// Adds the parent folders of `path`. bwrap would create parents that only root may enter, but the sandbox UID must
// enter them.
void add_parents(Args& args, const fs::path& path, std::set<fs::path>& made) {
  if (!path.has_relative_path() || !made.insert(path).second) return;
  add_parents(args, path.parent_path(), made);
  add(args, {"--perms", "0755", "--dir", path.string()});
}

// Without bubblewrap, grants the sandbox UID search permission (x, not r) on the tool's private folders. The UID
// becomes owner of what the sandbox may write; root owns what it may only read.
void grant_access(uid_t user, const SandboxSpec& spec) {
  std::error_code ignored;
  const fs::path top = fs::temp_directory_path(ignored);
  for (const std::vector<fs::path>& paths : {spec.read_only, spec.writable, {spec.scratch}}) {
    for (const fs::path& path : paths) {
      if (!is_below(path, top)) continue;  // not a private folder
      fs::path folder = top;
      for (const fs::path& part : path.lexically_relative(top)) {
        folder /= part;
        if (fs::is_directory(fs::symlink_status(folder, ignored))) fs::permissions(folder, fs::perms::others_exec, fs::perm_options::add, ignored);
      }
      const bool reads = std::find(spec.read_only.begin(), spec.read_only.end(), path) != spec.read_only.end();
      if (reads) fs::permissions(path, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove, ignored);
      // Then the command reports what it cannot do
      if (::lchown(path.c_str(), reads ? 0 : user, reads ? 0 : user) != 0) continue;
    }
  }
}

std::string in_seconds(double seconds) { return std::to_string(static_cast<long>(std::ceil(seconds)) + 1); }

// Adds the limits of each process in the sandbox; child processes inherit them.
void add_limits(Args& args, const Limits& limits) {
  add(args, {"choom", "-n", "1000", "--"});  // if memory runs out, the kernel kills this process first
  add(args, {"prlimit", "--core=0", "--cpu=" + in_seconds(limits.seconds), "--fsize=" + std::to_string(limits.file),
             "--nproc=" + std::to_string(limits.processes), "--nofile=" + std::to_string(limits.open_files)});
  if (limits.memory > 0) args.push_back("--as=" + std::to_string(limits.memory));
  args.push_back("--");
}

}  // namespace

bool is_systems(const fs::path& path) {
  return std::any_of(std::begin(kSystem), std::end(kSystem), [&](const char* folder) { return is_below(path, folder); });
}

Sandbox::Sandbox(const fs::path& readable) {
  std::ofstream(folder_.path() / kFilter, std::ios::binary) << system_call_filter();
  for (const Kind kind : {Kind::bubblewrap, Kind::limits_only}) {
    kind_ = kind;
    identity_ = Identity::another_user;
    if (::geteuid() == 0 && works(readable)) return;
    identity_ = Identity::own;
    if (works(readable)) return;
  }
}

bool Sandbox::works(const fs::path& readable) const {
  const PrivateFolder folder;
  Command command;
  command.args = {"true"};
  SandboxSpec spec;
  spec.scratch = folder.path();
  spec.limits.seconds = 10;
  if (!readable.empty()) {
    command.args = {"test", "-r", readable.string()};
    spec.read_only = {readable};
  }
  return run(wrap(command, spec)).ok();
}

std::string Sandbox::description() const {
  if (kind_ == Kind::limits_only) {
    return std::string("resource limits only") + (identity_ == Identity::another_user ? ", as another user" : "") +
           ": bubblewrap does not run here, so a submission sees this computer's files and network";
  }
  return "bubblewrap: only a private loopback network, its own files and the system's";
}

std::vector<std::string> Sandbox::bwrap_command(const SandboxSpec& spec, const std::string& dir) const {
  const fs::path filter = folder_.path() / kFilter;
  Args args;
  // Bwrap reads the filter from a descriptor
  if (fs::file_size(filter) > 0)
    args = {"sh", "-c", "exec \"$@\" 9<\"$0\"", filter.string(), "bwrap", "--seccomp", "9"};
  else args = {"bwrap"};
  add(args, {"--die-with-parent", "--new-session", "--clearenv", "--unshare-ipc", "--unshare-pid", "--unshare-net",
               "--unshare-uts", "--unshare-cgroup-try", "--hostname", "lab"});
  if (identity_ == Identity::own) {
    add(args, {"--unshare-user", "--cap-drop", "ALL"});
  } else {
    add(args, {"--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"});
  }
  add(args, {"--perms", "0755", "--dir", "/etc"});
  add_system(args);
  const std::string size = std::to_string(spec.limits.disk);
  add(args, {"--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", size, "--tmpfs", "/tmp"});
  std::set<fs::path> made = {"/tmp", "/usr"};
  for (const std::vector<fs::path>& paths : {spec.system, spec.read_only, spec.writable, {spec.scratch}}) {
    for (const fs::path& path : paths) add_parents(args, path.parent_path(), made);
  }
  if (!spec.scratch.empty()) add(args, {"--perms", "0777", "--size", size, "--tmpfs", spec.scratch.string()});
  for (const fs::path& path : spec.system) add(args, {"--ro-bind", path.string(), path.string()});
  for (const fs::path& path : spec.read_only) add(args, {"--ro-bind", path.string(), path.string()});
  for (const fs::path& path : spec.writable) add(args, {"--bind", path.string(), path.string()});
  add(args, {"--remount-ro", "/", "--remount-ro", "/dev"});  // these have no size limit of their own
  add(args, {"--chdir", dir.empty() ? "/tmp" : dir});
  return args;
}

Command Sandbox::wrap(const Command& inner, const SandboxSpec& spec) const {
  const std::vector<std::pair<std::string, std::string>> basic = {
      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
      {"HOME", "/tmp"},
      {"LANG", "C.UTF-8"},
      {"TMPDIR", spec.scratch.empty() ? "/tmp" : spec.scratch.string()}};
  Command outer = inner;
  outer.env.clear();
  outer.limit = spec.limits.seconds;
  Args& args = outer.args;
  if (kind_ == Kind::bubblewrap) {
    args = bwrap_command(spec, inner.dir.string());
    outer.dir.clear();
    for (const auto& vars : {basic, inner.env}) {
      for (const auto& [name, value] : vars) add(args, {"--setenv", name, value});
    }
    args.push_back("--");
  } else {
    args = {"env", "-i"};
    for (const auto& vars : {basic, inner.env}) {
      for (const auto& [name, value] : vars) args.push_back(name + "=" + value);
    }
  }
  if (identity_ == Identity::another_user) {
    const unsigned number = kFirstUser + boxes_++ % kUsers;
    if (kind_ == Kind::limits_only) grant_access(number, spec);
    const std::string user = std::to_string(number);
    add(args, {"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"});
  }
  add_limits(args, spec.limits);
  args.insert(args.end(), inner.args.begin(), inner.args.end());
  return outer;
}

}  // namespace grader
