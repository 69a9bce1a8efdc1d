// Given: a complete server, from the listening socket to the last completion.
#pragma once

#include <functional>

#include "program.h"
#include "worker.h"

namespace lab {

struct WorkerOptions : ServerOptions {
  unsigned threads = 0;  // 0: one per processor
  std::size_t max_outstanding = 256 * 1024;
};

void add_worker_options(CommandLine& command_line, WorkerOptions& options);

// Serves until Ctrl+C, then shuts down in order: stop accepting, disconnect all clients, drain, join.
// `make_client` creates the client objects; each is a Connection.
void run_server(const WorkerOptions& options, OperationSource& operations, Handler& handler,
                const std::function<std::shared_ptr<Connection>()>& make_client);

}  // namespace lab
