// One-line progress display. On a terminal it is redrawn in place and erased at the end; elsewhere each new phase is a
// plain line.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace grader {

bool stdout_is_terminal();
bool stdin_is_terminal();
std::size_t terminal_width();  // in columns; 80 if unknown
void enable_terminal();        // Windows: enables escape sequences on the console

// Returns the text in colour on a terminal, unless NO_COLOR is set. Otherwise returns it unchanged.
std::string green(const std::string& text);
std::string red(const std::string& text);
std::string bold(const std::string& text);
std::string dim(const std::string& text);

using Clock = std::chrono::steady_clock;
inline double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Progress {
 public:
  Progress();
  ~Progress();
  void phase(const std::string& text);   // the current work, such as "building lab03"
  void detail(const std::string& text);  // how far it is, such as "12/40"; written to a log once a minute
  void clear();                          // ends the phase; call it before any other output

 private:
  void paint();
  void erase();
  std::string elapsed() const;

  const bool terminal_;
  std::mutex mutex_;  // protects all members below, and stdout
  std::condition_variable changed_;
  std::string phase_, detail_;
  Clock::time_point since_;  // start of the phase
  Clock::time_point said_;   // time of the last line in a log
  unsigned turn_ = 0;
  bool painted_ = false;
  bool ending_ = false;
  std::thread painter_;  // last member: the thread uses all others
};

}  // namespace grader
