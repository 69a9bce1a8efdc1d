#include "child_process.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "not_started.h"
#include "story.h"
#include "win32.h"

#ifndef _WIN32
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace test {

// Each platform has: start(), read() (blocks; 0 at the end), interrupt(), kill(), and exit_code() (does not block).
#ifdef _WIN32

struct Program::Child {
  HANDLE process = nullptr;
  HANDLE job = nullptr;     // closing it, also by the end of this process, kills the child
  HANDLE output = nullptr;  // our end of the pipe
  DWORD id = 0;

  // Wine has no console here, so no Ctrl+Break; and a process with a group of its own ignores all such events there.
  static bool on_wine() {
    return ::GetProcAddress(::GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr;
  }

  void start(const std::string& program, const std::vector<std::string>& arguments) {
    std::wstring command = L"\"" + std::filesystem::path(program).wstring() + L"\"";
    for (const std::string& argument : arguments) command += L" " + std::wstring(argument.begin(), argument.end());

    SECURITY_ATTRIBUTES inherit{sizeof inherit, nullptr, TRUE};
    HANDLE theirs = nullptr;
    if (!::CreatePipe(&output, &theirs, &inherit, 0)) fail("CreatePipe failed");
    ::SetHandleInformation(output, HANDLE_FLAG_INHERIT, 0);
    HANDLE nothing = ::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, OPEN_EXISTING, 0,
                                   nullptr);

    // Only these two are inherited. Sockets can be inherited too, and the child would hold our connections open.
    HANDLE handles[] = {theirs, nothing};
    SIZE_T size = 0;
    ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    std::vector<char> room(size);
    const auto list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(room.data());
    ::InitializeProcThreadAttributeList(list, 1, 0, &size);
    ::UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, sizeof handles, nullptr, nullptr);

    STARTUPINFOEXW info{};
    info.StartupInfo.cb = sizeof info;
    info.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    info.StartupInfo.hStdInput = nothing;
    info.StartupInfo.hStdOutput = theirs;
    info.StartupInfo.hStdError = theirs;
    info.lpAttributeList = list;
    PROCESS_INFORMATION made{};
    const DWORD flags = EXTENDED_STARTUPINFO_PRESENT | (on_wine() ? 0 : CREATE_NEW_PROCESS_GROUP);
    const BOOL ok =
        ::CreateProcessW(nullptr, command.data(), nullptr, nullptr, TRUE, flags, nullptr, nullptr, &info.StartupInfo, &made);
    const DWORD error = ::GetLastError();
    ::DeleteProcThreadAttributeList(list);
    ::CloseHandle(theirs);
    ::CloseHandle(nothing);
    if (!ok) fail("CreateProcess failed with " + std::to_string(error) + " for " + program);
    ::CloseHandle(made.hThread);
    process = made.hProcess;
    id = made.dwProcessId;

    job = ::CreateJobObjectW(nullptr, nullptr);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    ::SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    ::AssignProcessToJobObject(job, process);
  }

  std::size_t read(char* to, std::size_t size) {
    DWORD got = 0;
    return ::ReadFile(output, to, static_cast<DWORD>(size), &got, nullptr) ? got : 0;
  }

  void interrupt() {
    if (!on_wine()) {
      if (!::GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, id)) {
        fail("GenerateConsoleCtrlEvent failed with " + std::to_string(::GetLastError()) + "; run the tests in a console");
      }
      return;
    }
    // What the system itself does on Ctrl+Break: a thread in the process that calls its handlers. The function lies at
    // the same address in every process.
    const auto routine = reinterpret_cast<LPTHREAD_START_ROUTINE>(
        reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleA("kernelbase.dll"), "CtrlRoutine")));
    void* const event = reinterpret_cast<void*>(static_cast<ULONG_PTR>(CTRL_BREAK_EVENT));
    const HANDLE thread = ::CreateRemoteThread(process, nullptr, 0, routine, event, 0, nullptr);
    if (thread == nullptr) fail("CreateRemoteThread failed with " + std::to_string(::GetLastError()));
    ::CloseHandle(thread);
  }

  void kill() { ::TerminateProcess(process, 137); }

  std::optional<int> exit_code() {
    if (::WaitForSingleObject(process, 0) != WAIT_OBJECT_0) return std::nullopt;
    DWORD code = 0;
    ::GetExitCodeProcess(process, &code);
    return static_cast<int>(code);
  }

  ~Child() {
    if (output != nullptr) ::CloseHandle(output);
    if (process != nullptr) ::CloseHandle(process);
    if (job != nullptr) ::CloseHandle(job);
  }
};

#else

struct Program::Child {
  pid_t id = 0;
  int output = -1;          // our end of the pipe
  std::optional<int> code;  // set when it has been waited for

  void start(const std::string& program, const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe2 failed");
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    id = ::fork();
    if (id == 0) {  // only calls that are safe after a fork of a process with threads
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      for (int fd = 3; fd < 4096; ++fd) ::close(fd);  // else it would hold our connections open
      ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output = ends[0];
    if (id < 0) fail("fork failed");
  }

  std::size_t read(char* to, std::size_t size) {
    for (;;) {
      const ssize_t got = ::read(output, to, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return 0;
    }
  }

  void interrupt() {
    if (!exit_code()) ::kill(id, SIGINT);
  }

  void kill() {
    if (!exit_code()) ::kill(id, SIGKILL);
  }

  std::optional<int> exit_code() {
    int status = 0;
    if (!code && id > 0 && ::waitpid(id, &status, WNOHANG) == id) {
      code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return code;
  }

  ~Child() {
    if (output >= 0) ::close(output);
  }
};

#endif

namespace {

// Each line of the program's output, as part of a story.
std::string as_story(const std::string& output) {
  if (output.empty()) return "\nstory: it printed nothing";
  std::string text = "\nstory: it printed:";
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) text += "\nstory:   " + line;
  return text;
}

// The unwritten TODO that the program came to, or nothing.
std::string unwritten_todo(const std::string& output) {
  const std::string mark = "not started: ";
  const std::size_t at = output.find(mark);
  if (at == std::string::npos) return "";
  const std::string todo = output.substr(at + mark.size());
  return todo.substr(0, todo.find_first_of("\r\n"));
}

// An unwritten TODO in the program is the reason for whatever else is missing.
void rethrow_not_started(const std::string& output) {
  const std::string todo = unwritten_todo(output);
  if (!todo.empty()) throw lab::NotStarted(todo);
}

std::filesystem::path this_program() {
#ifdef _WIN32
  wchar_t path[32768];
  ::GetModuleFileNameW(nullptr, path, 32768);
  return path;
#else
  return std::filesystem::read_symlink("/proc/self/exe");
#endif
}

}  // namespace

std::string program_under_test() {
  const std::filesystem::path test = this_program();
  std::string name = test.stem().string();
  if (name.ends_with("_test")) name.resize(name.size() - 5);
  return (test.parent_path() / name).string() + test.extension().string();
}

Program::Program(const std::vector<std::string>& arguments, const std::string& program)
    : child_(std::make_unique<Child>()) {
  const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  if (name.find("Program") == std::string::npos) {  // `lab test` builds a mutant's program only for such tests
    fail("the name of a test that starts the lab's program has \"Program\" in it");
  }
  if (!std::filesystem::exists(program)) {
    fail("expected the program " + std::filesystem::path(program).filename().string() + " beside this test; build it");
  }
  child_->start(program, arguments);
  reader_ = std::thread([this] { read_output(); });
}

Program::~Program() {
  const bool failing = std::uncaught_exceptions() > 0;
  if (failing) eventually([this] { return child_->exit_code().has_value(); }, std::chrono::milliseconds(200));
  const std::optional<int> code = child_->exit_code();  // set when it ended by itself: that may be why the test fails
  kill();
  eventually([this] { return child_->exit_code().has_value(); });
  reader_.join();
  if (!failing) return;
  const std::string todo = unwritten_todo(output_);
  if (!todo.empty()) {
    remember_not_started("not started: " + todo);
  } else if (code && *code != 0) {
    step("the program ended by itself, with exit code " + std::to_string(*code) + as_story(output_));
  }
}

void Program::read_output() {
  char some[4096];
  for (;;) {
    const std::size_t got = child_->read(some, sizeof some);
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < got; ++i) {
      if (some[i] != '\r') output_ += some[i];  // Windows ends lines by \r\n
    }
    if (got == 0) output_ended_ = true;
    changed_.notify_all();
    if (got == 0) return;
  }
}

std::string Program::wait_for_line(const std::string& text) {
  std::unique_lock lock(mutex_);
  std::string line;
  const auto found = [&] {
    for (std::size_t end; (end = output_.find('\n', seen_)) != std::string::npos;) {
      line = output_.substr(seen_, end - seen_);
      seen_ = end + 1;
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  };
  const auto deadline = Clock::now() + patience();
  bool is_there = found();
  while (!is_there && !output_ended_ && changed_.wait_until(lock, deadline) != std::cv_status::timeout) is_there = found();
  if (is_there || found()) return line;
  rethrow_not_started(output_);
  fail("expected that the program prints \"" + text + "\", but " +
       (output_ended_ ? "it ended without" : "it did not come") + as_story(output_));
}

std::uint16_t Program::wait_for_port() {
  const std::string mark = "listening on port ";
  const std::string line = wait_for_line(mark);
  const int port = std::atoi(line.c_str() + line.find(mark) + mark.size());
  if (port <= 0 || port > 65535) fail("expected the port that the program got, but it was: " + line);
  return static_cast<std::uint16_t>(port);
}

std::string Program::output() const {
  std::lock_guard lock(mutex_);
  return output_;
}

void Program::ask_to_stop() { child_->interrupt(); }

int Program::wait_for_exit() {
  std::optional<int> code;
  eventually([&] { return (code = child_->exit_code()).has_value(); });
  if (!code) fail("expected that the program ends, but it goes on" + as_story(output()));
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience(), [&] { return output_ended_; });
  rethrow_not_started(output_);
  return *code;
}

void Program::kill() {
  if (!child_->exit_code()) child_->kill();
}

static std::vector<std::string> server_arguments(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--port", "0", "--seconds", "60"});
  return arguments;
}

ServerProgram::ServerProgram(std::vector<std::string> arguments, const std::string& program)
    : Program(server_arguments(std::move(arguments)), program), port(wait_for_port()) {}

void ServerProgram::stop() {
  ask_to_stop();
  const int code = wait_for_exit();
  if (code != 0) fail("expected exit code 0 after Ctrl+C, but it was " + std::to_string(code) + as_story(output()));
}

}  // namespace test
