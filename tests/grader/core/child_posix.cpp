#include "child.h"

#include <chrono>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace grader {

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> g_interrupted{false};  // set by a signal handler: lock-free

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(); }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void reset(int fd) { close(); fd_ = fd; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

void make_pipe(Fd& read_end, Fd& write_end) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  read_end.reset(fds[0]);
  write_end.reset(fds[1]);
}

std::vector<std::string> child_environment(const Command& command) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool replaced = text.substr(0, 6) == "GTEST_";
    for (const auto& [name, value] : command.env) {
      replaced = replaced || (text.substr(0, name.size()) == name && text.substr(name.size(), 1) == "=");
    }
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : command.env) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Starts the program in the child. Uses only calls that are safe after fork(). Does not return.
[[noreturn]] void become(char** args, char** env, const char* dir, int output, int failure) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // if the tool dies first, the child is killed
  ::signal(SIGPIPE, SIG_DFL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int input = ::open("/dev/null", O_RDONLY);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  if (*dir == '\0' || ::chdir(dir) == 0) ::execvpe(args[0], args, env);
  const int error = errno;
  if (::write(failure, &error, sizeof error) < 0) ::_exit(126);
  ::_exit(127);
}

// Reads what is available. Returns false at the end of the stream.
bool read_some(int fd, const Command& command, BoundedText& text) {
  char buffer[65536];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  const std::string_view piece(buffer, static_cast<std::size_t>(got));
  text.add(piece);
  if (command.on_output && got > 0) command.on_output(piece);
  return got > 0;
}

bool has_ended(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

// Waits for the child to end; kills it at its time limit. The child is not reaped yet, so its group ID is not reused.
Ended::How wait_for(pid_t pid, const Command& command, Fd& output, BoundedText& text, Clock::time_point start) {
  Ended::How how = Ended::How::exited;
  Clock::time_point last{};  // when the grace period after an interrupt ends
  // An interrupted build has ended when no process holds its output open: Ninja outlives the `cmake` that started it,
  // and Ninja stops the compilers.
  while (!has_ended(pid) || (how == Ended::How::interrupted && output.open() && Clock::now() < last)) {
    pollfd wait{output.get(), POLLIN, 0};
    const int ready = ::poll(&wait, output.open() ? 1 : 0, output.open() ? 50 : 2);
    if (ready > 0 && !read_some(output.get(), command, text)) output.close();
    const Clock::time_point now = Clock::now();
    if (how == Ended::How::interrupted && now > last) ::kill(-pid, SIGKILL);
    if (how != Ended::How::exited) continue;
    if (command.limit > 0 && std::chrono::duration<double>(now - start).count() > command.limit) {
      how = Ended::How::timed_out;
      ::kill(-pid, SIGKILL);
    } else if (g_interrupted) {
      how = Ended::How::interrupted;
      last = now + std::chrono::seconds(2);
      ::kill(-pid, SIGTERM);  // lets a build remove half-written files
    }
  }
  return how;
}

}  // namespace

Ended run(const Command& command) {
  Ended ended;
  Fd output, output_write, failure, failure_write;
  make_pipe(output, output_write);
  make_pipe(failure, failure_write);
  std::vector<std::string> args = command.args;
  std::vector<std::string> env = child_environment(command);
  const std::vector<char*> arg_pointers = pointers(args);
  const std::vector<char*> env_pointers = pointers(env);
  const std::string dir = command.dir.string();

  const Clock::time_point start = Clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(const_cast<char**>(arg_pointers.data()), const_cast<char**>(env_pointers.data()), dir.c_str(),
           output_write.get(), failure_write.get());
  }
  if (pid < 0) {
    ended.error = std::string("fork: ") + std::strerror(errno);
    return ended;
  }
  ::setpgid(pid, pid);  // in parent and child, because either may run first
  output_write.close();
  failure_write.close();
  int error = 0;
  // A successful exec closes this pipe without writing
  if (::read(failure.get(), &error, sizeof error) == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    ended.error = args[0] + ": " + std::strerror(error);
    return ended;
  }

  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  BoundedText text;
  ended.how = wait_for(pid, command, output, text, start);
  ::kill(-pid, SIGKILL);  // processes that it left behind
  int status = 0;
  ::waitpid(pid, &status, 0);
  for (int i = 0; i < 64 && output.open(); ++i) {  // the rest; bounded, because a process that escaped may still print
    pollfd wait{output.get(), POLLIN, 0};
    if (::poll(&wait, 1, 0) <= 0 || !read_some(output.get(), command, text)) break;
  }
  ended.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  ended.output = text.text();
  if (ended.how == Ended::How::exited && WIFSIGNALED(status)) ended.how = Ended::How::signalled;
  ended.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return ended;
}

int hand_over(const Command& command) {
  std::vector<std::string> args = command.args;
  std::vector<std::string> env = child_environment(command);
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  if (command.dir.empty() || ::chdir(command.dir.c_str()) == 0) {
    ::execvpe(args[0].c_str(), pointers(args).data(), pointers(env).data());
  }
  throw std::system_error(errno, std::generic_category(), args[0]);
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = true; };
  ::sigaction(SIGINT, &action, nullptr);   // no SA_RESTART: poll() returns
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_interrupted; }

std::string describe_end(const Ended& ended) {
  if (ended.how != Ended::How::signalled) return "exit code " + std::to_string(ended.code);
  const char* name = ::sigabbrev_np(ended.code);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(ended.code);
}

PrivateFolder::PrivateFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "lab-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
  path_ = name;
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FileLock::FileLock(const std::filesystem::path& file) {
  handle_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (handle_ < 0) throw std::system_error(errno, std::generic_category(), file.string());
  while (::flock(static_cast<int>(handle_), LOCK_EX) != 0 && !interrupted()) {
  }
}

FileLock::~FileLock() { ::close(static_cast<int>(handle_)); }

}  // namespace grader
