// Given: what every lab's main has in common. Options, Ctrl+C, and exit codes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "handles.h"
#include "not_started.h"
#include "stop_request.h"

namespace lab {

// How a program ends.
enum ExitCode : int {
  kExitOk = 0,          // it ran, and ended in order
  kExitFailed = 1,      // a call failed; the message names it
  kExitBadOptions = 2,  // the command line is wrong
  // kExitNotStarted = 3: a TODO is not written yet (not_started.h)
};

// The options that every lab's server has.
struct ServerOptions {
  std::uint16_t port = 4000;
  std::size_t max_clients = 1000;
  unsigned seconds = 0;  // 0: until Ctrl+C
};

inline void add_server_options(CLI::App& app, ServerOptions& options) {
  app.add_option("--port", options.port, "TCP port; 0 takes a free one and prints it")->capture_default_str();
  app.add_option("--max-clients", options.max_clients, "how many clients may be connected at once")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "stop by itself after this many seconds; 0 runs until Ctrl+C")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
}

// Parses the options, runs `body`, and turns every way to fail into a clear line and an exit code.
inline int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  std::set_terminate(&explain_and_exit);
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // each line is seen at once, also through a pipe
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitBadOptions;  // --help is no error
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
    const int code = error.code().value();  // an exclusive port in use can be "forbidden", too
    const bool port_in_use = code == WSAEADDRINUSE || code == WSAEACCES;
    const char* hint = port_in_use ? " (is the port in use? try --port 0)" : "";
    std::fprintf(stderr, "error: %s, code %d%s\n", error.what(), code, hint);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return kExitFailed;
}

}  // namespace lab
