#include "child.h"

#include <chrono>
#include <cstdio>
#include <random>
#include <system_error>

#include <windows.h>

namespace grader {

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> g_interrupted{false};

class Handle {
 public:
  Handle() = default;
  explicit Handle(HANDLE handle) : handle_(handle == INVALID_HANDLE_VALUE ? nullptr : handle) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(); }
  HANDLE get() const { return handle_; }
  HANDLE* put() { return &handle_; }
  void close() {
    if (handle_ != nullptr) ::CloseHandle(handle_);
    handle_ = nullptr;
  }

 private:
  HANDLE handle_ = nullptr;
};

[[noreturn]] void fail(const char* call) {
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), call);
}

std::wstring wide(const std::string& text) {
  const int size = ::MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0);
  std::wstring result(static_cast<std::size_t>(size), L'\0');
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), result.data(), size);
  return result;
}

// Quotes an argument for the child's C runtime: backslashes count only before a quote.
std::wstring quoted(const std::wstring& arg) {
  std::wstring result = L"\"";
  std::size_t backslashes = 0;
  for (const wchar_t c : arg) {
    if (c == L'"') result.append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    result += c;
  }
  result.append(backslashes, L'\\');
  return result + L"\"";
}

std::wstring command_line(const std::vector<std::string>& args) {
  std::wstring line;
  for (const std::string& arg : args) line += (line.empty() ? L"" : L" ") + quoted(wide(arg));
  return line;
}

std::wstring environment_of(const Command& command) {
  std::wstring block;
  wchar_t* const ours = ::GetEnvironmentStringsW();
  for (const wchar_t* entry = ours; *entry != L'\0'; entry += std::wstring_view(entry).size() + 1) {
    const std::wstring_view text = entry;
    bool replaced = text.substr(0, 6) == L"GTEST_";
    for (const auto& [name, value] : command.env) replaced = replaced || text.starts_with(wide(name) + L"=");
    if (!replaced) block.append(text).push_back(L'\0');
  }
  ::FreeEnvironmentStringsW(ours);
  for (const auto& [name, value] : command.env) block.append(wide(name + "=" + value)).push_back(L'\0');
  block.push_back(L'\0');
  return block;
}

// Starts the child suspended, with `streams` = {stdin, stdout, stderr} and no other inherited handle.
bool start(const Command& command, HANDLE (&streams)[3], PROCESS_INFORMATION& process) {
  SIZE_T size = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
  std::vector<char> memory(size);
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = streams[0];
  startup.StartupInfo.hStdOutput = streams[1];
  startup.StartupInfo.hStdError = streams[2];
  startup.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  ::InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size);
  HANDLE inherited[] = {streams[0], streams[1]};  // stdout and stderr are one
  ::UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited,
                              sizeof inherited, nullptr, nullptr);
  std::wstring line = command_line(command.args);
  std::wstring env = environment_of(command);
  const std::wstring dir = command.dir.wstring();
  const DWORD flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT | CREATE_NEW_PROCESS_GROUP;
  const BOOL started = ::CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, flags, env.data(),
                                        dir.empty() ? nullptr : dir.c_str(), &startup.StartupInfo, &process);
  ::DeleteProcThreadAttributeList(startup.lpAttributeList);
  return started != FALSE;
}

void set_limits(HANDLE job, const JobLimits& wanted) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  DWORD& flags = limits.BasicLimitInformation.LimitFlags;
  flags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
  if (wanted.memory > 0) {
    flags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY | JOB_OBJECT_LIMIT_JOB_MEMORY;
    limits.ProcessMemoryLimit = limits.JobMemoryLimit = static_cast<SIZE_T>(wanted.memory);
  }
  if (wanted.processes > 0) {
    flags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
    limits.BasicLimitInformation.ActiveProcessLimit = wanted.processes;
  }
  if (wanted.cpu_seconds > 0) {
    flags |= JOB_OBJECT_LIMIT_JOB_TIME;
    limits.BasicLimitInformation.PerJobUserTimeLimit.QuadPart = static_cast<LONGLONG>(wanted.cpu_seconds * 1e7);
  }
  if (!::SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) fail("SetInformationJobObject");
  if (!wanted.no_desktop) return;
  JOBOBJECT_BASIC_UI_RESTRICTIONS desktop{};
  desktop.UIRestrictionsClass = JOB_OBJECT_UILIMIT_HANDLES | JOB_OBJECT_UILIMIT_READCLIPBOARD | JOB_OBJECT_UILIMIT_WRITECLIPBOARD |
                                JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS | JOB_OBJECT_UILIMIT_GLOBALATOMS |
                                JOB_OBJECT_UILIMIT_DESKTOP | JOB_OBJECT_UILIMIT_EXITWINDOWS;
  if (!::SetInformationJobObject(job, JobObjectBasicUIRestrictions, &desktop, sizeof desktop)) fail("SetInformationJobObject");
}

// Reads what is available. Returns whether there was something to read.
bool read_some(HANDLE pipe, const Command& command, BoundedText& text) {
  DWORD available = 0;
  if (!::PeekNamedPipe(pipe, nullptr, 0, nullptr, &available, nullptr) || available == 0) return false;
  char buffer[65536];
  DWORD got = 0;
  if (!::ReadFile(pipe, buffer, sizeof buffer, &got, nullptr) || got == 0) return false;
  const std::string_view piece(buffer, got);
  text.add(piece);
  if (command.on_output) command.on_output(piece);
  return true;
}

BOOL WINAPI on_console(DWORD) {
  g_interrupted = true;
  return TRUE;
}

}  // namespace

Ended run(const Command& command) {
  Ended ended;
  SECURITY_ATTRIBUTES inherit{sizeof inherit, nullptr, TRUE};
  Handle output, output_write;
  if (!::CreatePipe(output.put(), output_write.put(), &inherit, 1 << 16)) fail("CreatePipe");
  ::SetHandleInformation(output.get(), HANDLE_FLAG_INHERIT, 0);
  Handle input(::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, OPEN_EXISTING, 0, nullptr));

  // Every process started inside the job ends when the job is closed.
  Handle job(::CreateJobObjectW(nullptr, nullptr));
  set_limits(job.get(), command.job);

  const Clock::time_point begin = Clock::now();
  HANDLE streams[3] = {input.get(), output_write.get(), output_write.get()};
  PROCESS_INFORMATION information{};
  if (!start(command, streams, information)) {
    ended.error = command.args[0] + ": " + std::system_category().message(static_cast<int>(::GetLastError()));
    return ended;
  }
  const Handle process(information.hProcess), thread(information.hThread);
  if (!::AssignProcessToJobObject(job.get(), process.get())) {  // otherwise the child would run without limits
    ::TerminateProcess(process.get(), 1);
    fail("AssignProcessToJobObject");
  }
  ::ResumeThread(thread.get());
  output_write.close();

  BoundedText text;
  ended.how = Ended::How::exited;
  while (::WaitForSingleObject(process.get(), 0) == WAIT_TIMEOUT) {
    if (read_some(output.get(), command, text)) {
      // more may be available: check the clock, then continue reading
    } else {
      ::WaitForSingleObject(process.get(), 5);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (ended.how != Ended::How::exited) continue;
    if (command.limit > 0 && seconds > command.limit) ended.how = Ended::How::timed_out;
    if (g_interrupted) ended.how = Ended::How::interrupted;
    if (ended.how != Ended::How::exited) ::TerminateJobObject(job.get(), 1);
  }
  DWORD code = 0;
  ::GetExitCodeProcess(process.get(), &code);
  ::TerminateJobObject(job.get(), 1);  // processes that it left behind
  for (int i = 0; i < 64 && read_some(output.get(), command, text); ++i) {
  }
  ended.code = static_cast<int>(code);
  ended.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  ended.output = text.text();
  return ended;
}

int hand_over(const Command& command) {
  std::wstring line = command_line(command.args);
  std::wstring env = environment_of(command);
  const std::wstring dir = command.dir.wstring();
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION information{};
  std::fflush(stdout);
  if (!::CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, CREATE_UNICODE_ENVIRONMENT, env.data(),
                        dir.empty() ? nullptr : dir.c_str(), &startup, &information)) {
    fail(command.args[0].c_str());
  }
  const Handle process(information.hProcess), thread(information.hThread);
  ::WaitForSingleObject(process.get(), INFINITE);  // Ctrl+C reaches the tool and the program; the program decides
  DWORD code = 0;
  ::GetExitCodeProcess(process.get(), &code);
  return static_cast<int>(code);
}

void catch_interrupts() { ::SetConsoleCtrlHandler(&on_console, TRUE); }

bool interrupted() { return g_interrupted; }

std::string describe_end(const Ended& ended) {
  const auto code = static_cast<unsigned>(ended.code);
  if (code < 0xC0000000u) return "exit code " + std::to_string(ended.code);
  char text[16];
  std::snprintf(text, sizeof text, "0x%08X", code);
  return text;
}

PrivateFolder::PrivateFolder() {
  std::random_device random;
  for (int i = 0; i < 100; ++i) {
    path_ = std::filesystem::temp_directory_path() / ("lab-" + std::to_string(random()) + std::to_string(random()));
    if (std::filesystem::create_directory(path_)) return;
  }
  throw std::system_error(std::make_error_code(std::errc::file_exists), path_.string());
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FileLock::FileLock(const std::filesystem::path& file) {
  const HANDLE handle = ::CreateFileW(file.c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                      nullptr, OPEN_ALWAYS, 0, nullptr);
  if (handle == INVALID_HANDLE_VALUE) fail("CreateFile");
  handle_ = reinterpret_cast<std::intptr_t>(handle);
  OVERLAPPED range{};
  ::LockFileEx(handle, LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &range);
}

FileLock::~FileLock() { ::CloseHandle(reinterpret_cast<HANDLE>(handle_)); }

}  // namespace grader
