// Given: the program of lab 4. The echo server over worker threads.
//
// Threads: main waits for Ctrl+C; the accept thread accepts and registers; each worker thread runs your worker_loop.
#include "echo_handler.h"
#include "run_server.h"

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 4: an echo server over worker threads. Ctrl+C ends it."};
  lab::WorkerOptions options;
  lab::add_worker_options(command_line, options);

  return lab::run_program(command_line, argc, argv, [&] {
    lab::HeapOperations operations;
    lab::EchoHandler handler;
    lab::run_server(options, operations, handler, [] { return std::make_shared<lab::Connection>(); });
    handler.print_summary();
  });
}
