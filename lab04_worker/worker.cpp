// Lab 4: you write this file. worker.h says what each function must do; README.md leads you through the steps.
#include "worker.h"

#include "not_started.h"

namespace lab {

// TODO 1: end a client, once.
void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) {
  not_started("lab04 TODO 1", server, connection, why);
}

// TODO 2: send, with a limit on the bytes in flight.
bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size) {
  not_started("lab04 TODO 2", server, connection, data, size);
}

// TODO 3: handle one completion.
void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes) {
  not_started("lab04 TODO 3", server, op, ok, bytes);
}

// TODO 4: the loop of one worker, and its four outcomes.
void worker_loop(Server& server) { not_started("lab04 TODO 4", server); }

// TODO 5: start the workers, and end them in order.
std::vector<std::thread> start_workers(Server& server, unsigned count) {
  not_started("lab04 TODO 5", server, count);
}

void stop_workers(Server& server, std::vector<std::thread>& workers) { not_started("lab04 TODO 5", server, workers); }

}  // namespace lab
