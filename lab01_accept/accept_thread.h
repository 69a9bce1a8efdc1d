// Given: runs accept_loop on its own thread, and ends it.
#pragma once

#include <atomic>
#include <future>

#include "accept.h"
#include "stop_request.h"

namespace lab {

class AcceptThread {
 public:
  // Starts at once. `clients` and `events` must outlive this object.
  AcceptThread(UniqueSocket listener, ClientTable& clients, AcceptEvents& events)
      : listener_(std::move(listener)), done_(std::async(std::launch::async, [this, &clients, &events] {
          try {
            accept_loop(listener_, stopping_, clients, events);
          } catch (...) {
            StopRequest::ask();  // a server that cannot accept ends, and stop() throws the reason
            throw;
          }
        })) {}
  ~AcceptThread() {
    close_listener();  // done_ then waits for the thread
  }

  // Ends the loop and waits for it. Throws what the loop threw. Call it once.
  void stop() {
    close_listener();
    done_.get();
  }

 private:
  void close_listener() {
    stopping_ = true;   // first the reason,
    listener_.close();  // then the call that wakes accept
  }

  UniqueSocket listener_;             // atomic inside: the loop reads it while stop() closes it
  std::atomic<bool> stopping_{false};
  std::future<void> done_;            // last member: starts after the others are constructed, and is waited for first
};

}  // namespace lab
