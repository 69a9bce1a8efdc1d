// One line that says what is going on. On a terminal it is painted again and again, and goes away; elsewhere each new
// phase is a plain line.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace grader {

bool stdout_is_terminal();
bool stdin_is_terminal();
std::size_t terminal_width();  // in columns; 80 when there is no telling
void enable_terminal();  // Windows: makes the console understand escape sequences

// Text in colour: on a terminal, and unless NO_COLOR is set. Else the text as it is.
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
  void phase(const std::string& text);   // what is being done: "building lab03"
  void detail(const std::string& text);  // how far: "12/40". Into a log it goes once a minute
  void clear();                          // nothing is being done; call it before printing anything else

 private:
  void paint();
  void erase();
  std::string elapsed() const;

  const bool terminal_;
  std::mutex mutex_;  // protects all below, and stdout
  std::condition_variable changed_;
  std::string phase_, detail_;
  Clock::time_point since_;  // of the phase
  Clock::time_point said_;   // the last line of a log
  unsigned turn_ = 0;
  bool painted_ = false;
  bool ending_ = false;
  std::thread painter_;  // last member: starts when the others stand
};

}  // namespace grader
