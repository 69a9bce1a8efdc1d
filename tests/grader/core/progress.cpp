#include "progress.h"

#include <cstdio>
#include <cstdlib>

#ifdef _WIN32
#include <io.h>
#include <windows.h>
#else
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace grader {

namespace {

constexpr double kSecondsOfSilence = 60;  // into a log, one line per minute

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string coloured(const char* code, const std::string& text) {
  static const bool wanted = stdout_is_terminal() && std::getenv("NO_COLOR") == nullptr;
  return wanted ? std::string("\033[") + code + "m" + text + "\033[0m" : text;
}

}  // namespace

bool stdout_is_terminal() {
#ifdef _WIN32
  return ::_isatty(1) != 0;
#else
  return ::isatty(1) != 0;
#endif
}

std::size_t terminal_width() {
#ifndef _WIN32
  winsize size{};
  if (::ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#endif
  return 80;
}

bool stdin_is_terminal() {
#ifdef _WIN32
  return ::_isatty(0) != 0;
#else
  return ::isatty(0) != 0;
#endif
}

void enable_terminal() {
#ifdef _WIN32
  const HANDLE console = ::GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD mode = 0;
  if (::GetConsoleMode(console, &mode)) ::SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
#endif
}

std::string green(const std::string& text) { return coloured("32", text); }
std::string red(const std::string& text) { return coloured("31", text); }
std::string bold(const std::string& text) { return coloured("1", text); }
std::string dim(const std::string& text) { return coloured("2", text); }

Progress::Progress() : terminal_(stdout_is_terminal()) {
  if (!terminal_) return;
  painter_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      if (!phase_.empty()) paint();
      changed_.wait_for(lock, std::chrono::milliseconds(120));
    }
  });
}

Progress::~Progress() {
  clear();
  if (!painter_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  painter_.join();
}

void Progress::phase(const std::string& text) {
  std::lock_guard lock(mutex_);
  phase_ = text;
  detail_.clear();
  since_ = said_ = Clock::now();
  if (!terminal_) say(text);
}

void Progress::detail(const std::string& text) {
  std::lock_guard lock(mutex_);
  detail_ = text;
  if (terminal_ || since(said_) < kSecondsOfSilence) return;
  said_ = Clock::now();
  say(phase_ + "  " + detail_ + "  " + elapsed());
}

void Progress::clear() {
  std::lock_guard lock(mutex_);
  phase_.clear();
  erase();
}

void Progress::paint() {
  std::string line = std::string(1, "|/-\\"[turn_++ % 4]) + " " + phase_ + "  " + detail_ + "  " + elapsed();
  line = line.substr(0, terminal_width() - 1);
  std::printf("\r\033[K%s", line.c_str());
  std::fflush(stdout);
  painted_ = true;
}

std::string Progress::elapsed() const { return std::to_string(static_cast<long>(since(since_))) + " s"; }

void Progress::erase() {
  if (!painted_) return;
  std::printf("\r\033[K");
  std::fflush(stdout);
  painted_ = false;
}

}  // namespace grader
