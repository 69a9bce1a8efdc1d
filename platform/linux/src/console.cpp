// Converts signals to console events. A signal handler may do almost nothing, so it writes one byte to a pipe. A thread
// of the library reads it and calls the handlers, as Windows calls them on a separate thread. The thread starts with
// the first handler and runs until the process ends.
#include <signal.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <thread>
#include <vector>

#include "windows.h"

namespace {

struct Mapping {
  int signal;
  DWORD event;
};
constexpr Mapping kSignals[] = {
    {SIGINT, CTRL_C_EVENT}, {SIGQUIT, CTRL_BREAK_EVENT}, {SIGTERM, CTRL_CLOSE_EVENT}, {SIGHUP, CTRL_CLOSE_EVENT}};

struct Console {
  std::mutex mutex;                          // guards the two members below
  std::vector<PHANDLER_ROUTINE> handlers;    // the last one is called first
  bool ignore_ctrl_c = false;                // SetConsoleCtrlHandler(nullptr, TRUE)
  int pipe[2] = {-1, -1};                    // set before the first signal can arrive
};

// Never destroyed: the thread outlives main().
Console& console() {
  static Console& instance = *new Console;
  return instance;
}

int signal_pipe = -1;   // the signal handler writes to it; set before the handler is installed

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  // A full pipe means that the event is already pending.
  [[maybe_unused]] const auto n = ::write(signal_pipe, &byte, 1);
  errno = saved;
}

// Ends the process if no handler accepted the event. Its parent sees which signal it was.
void end_process(int number) {
  ::signal(number, SIG_DFL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  ::pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  ::kill(::getpid(), number);
}

void dispatch(int number) {
  const auto* mapping = std::find_if(std::begin(kSignals), std::end(kSignals),
                                     [=](const Mapping& m) { return m.signal == number; });
  std::vector<PHANDLER_ROUTINE> handlers;
  {
    const std::lock_guard lock(console().mutex);
    if (mapping->event == CTRL_C_EVENT && console().ignore_ctrl_c) return;
    handlers = console().handlers;
  }
  // Called without the lock, so that a handler may remove itself.
  for (auto handler = handlers.rbegin(); handler != handlers.rend(); ++handler) {
    if ((*handler)(mapping->event)) return;
  }
  end_process(number);
}

void run() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);   // signals are for the other threads
  unsigned char number = 0;
  for (;;) {
    const auto n = ::read(console().pipe[0], &number, 1);
    if (n == 1) dispatch(number);
    else if (n == 0 || errno != EINTR) return;
  }
}

// REQUIRES: the console's mutex is held.
bool start() {
  Console& c = console();
  if (c.pipe[0] >= 0) return true;
  if (::pipe2(c.pipe, O_CLOEXEC) != 0) return false;
  ::fcntl(c.pipe[1], F_SETFL, O_NONBLOCK);
  signal_pipe = c.pipe[1];
  std::thread(run).detach();
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const Mapping& mapping : kSignals) ::sigaction(mapping.signal, &action, nullptr);
  return true;
}

}  // namespace

BOOL SetConsoleCtrlHandler(PHANDLER_ROUTINE handler, BOOL add) {
  Console& c = console();
  const std::lock_guard lock(c.mutex);
  if (add && !start()) {
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
  }
  if (!handler) {
    c.ignore_ctrl_c = add;
    return TRUE;
  }
  if (add) {
    c.handlers.push_back(handler);
    return TRUE;
  }
  const auto last = std::find(c.handlers.rbegin(), c.handlers.rend(), handler);
  if (last == c.handlers.rend()) {
    SetLastError(ERROR_INVALID_PARAMETER);   // it was never added
    return FALSE;
  }
  c.handlers.erase(std::next(last).base());
  return TRUE;
}

BOOL GenerateConsoleCtrlEvent(DWORD event, DWORD process_group) {
  // Only the caller's own group is supported, and in it only the caller.
  if (process_group != 0 || event > CTRL_BREAK_EVENT) {
    SetLastError(ERROR_INVALID_PARAMETER);
    return FALSE;
  }
  return ::kill(::getpid(), event == CTRL_C_EVENT ? SIGINT : SIGQUIT) == 0;
}
