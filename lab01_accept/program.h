// Given: the common part of every lab's main: options, Ctrl+C, and exit codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stop_request.h"

namespace lab {

// How a program ends.
enum ExitCode : int {
  kExitOk = 0,          // it ran, and shut down in order
  kExitFailed = 1,      // a call failed; the message names it
  kExitBadOptions = 2,  // the command line is wrong
  // kExitNotStarted = 3: a TODO is not written yet (not_started.h)
};

// The options of a program. Each variable holds the default, and run_program writes the parsed value to it.
// Only program.cpp uses CLI11: its header takes longer to compile than a lab.
class CommandLine {
 public:
  explicit CommandLine(const std::string& description);
  ~CommandLine();

  // An option with a number from `least` to `most`.
  template <class Number>
  void add_number(const std::string& name, Number& value, long long least, long long most, const std::string& help) {
    add_number(name, static_cast<long long>(value), least, most, help,
               [&value](long long number) { value = static_cast<Number>(number); });
  }
  // An option with one of these words.
  void add_choice(const std::string& name, std::string& word, const std::vector<std::string>& words, const std::string& help);

 private:
  friend int run_program(CommandLine& options, int argc, char** argv, const std::function<void()>& body);
  struct Parser;

  void add_number(const std::string& name, long long value, long long least, long long most, const std::string& help,
                  const std::function<void(long long)>& set);

  const std::unique_ptr<Parser> parser_;
};

// The options of every lab's server.
struct ServerOptions {
  std::uint16_t port = 4000;
  std::size_t max_clients = 1000;
  unsigned seconds = 0;  // 0: until Ctrl+C
};

void add_server_options(CommandLine& command_line, ServerOptions& options);

// Parses the options, runs `body`, and reports every failure with a clear message and an exit code.
int run_program(CommandLine& options, int argc, char** argv, const std::function<void()>& body);

}  // namespace lab
