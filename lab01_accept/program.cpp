#include "program.h"

#include <cstdio>
#include <exception>
#include <system_error>

#include <CLI/CLI.hpp>

#include "error_names.h"
#include "handles.h"
#include "not_started.h"

namespace lab {

struct CommandLine::Parser : CLI::App {
  using App::App;
};

CommandLine::CommandLine(const std::string& description) : parser_(std::make_unique<Parser>(description)) {}
CommandLine::~CommandLine() = default;

void CommandLine::add_number(const std::string& name, long long value, long long least, long long most,
                             const std::string& help, const std::function<void(long long)>& set) {
  parser_->add_option_function<long long>(name, set, help)->check(CLI::Range(least, most))->default_str(std::to_string(value));
}

void CommandLine::add_choice(const std::string& name, std::string& word, const std::vector<std::string>& words,
                             const std::string& help) {
  parser_->add_option(name, word, help)->check(CLI::IsMember(words))->capture_default_str();
}

void add_server_options(CommandLine& command_line, ServerOptions& options) {
  command_line.add_number("--port", options.port, 0, 65535, "TCP port; 0 takes a free one and prints it");
  command_line.add_number("--max-clients", options.max_clients, 1, 60000, "how many clients may be connected at once");
  command_line.add_number("--seconds", options.seconds, 0, 86400,
                          "stop by itself after this many seconds; 0 runs until Ctrl+C");
}

int run_program(CommandLine& options, int argc, char** argv, const std::function<void()>& body) {
  std::set_terminate(&explain_and_exit);
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // each line is visible at once, even through a pipe
  try {
    options.parser_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return options.parser_->exit(error) == 0 ? kExitOk : kExitBadOptions;  // --help is not an error
  }
  try {
    WinsockSession winsock;
    StopRequest::install();
    body();
    return kExitOk;
  } catch (const NotStarted& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kExitNotStarted;
  } catch (const std::system_error& error) {
    const int code = error.code().value();  // an exclusive port in use can also be "forbidden"
    const bool port_in_use = code == WSAEADDRINUSE || code == WSAEACCES;
    const char* hint = port_in_use ? " (is the port in use? try --port 0)" : "";
    std::fprintf(stderr, "error: %s%s\n", error_text(error).c_str(), hint);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return kExitFailed;
}

}  // namespace lab
