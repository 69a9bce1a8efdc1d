// Given: Ctrl+C.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "handles.h"

namespace lab {

// A request to stop: from Ctrl+C, or from a thread that cannot continue. Windows calls the console handler on its own
// thread, so a mutex protects the state that the handler changes.
class StopRequest {
 public:
  static void install() {
    if (!::SetConsoleCtrlHandler(&StopRequest::on_console, TRUE)) throw_socket_error("SetConsoleCtrlHandler");
  }
  // Asks the program to stop, as Ctrl+C does. Any thread may call it.
  static void ask() {
    State& state = shared();
    std::lock_guard lock(state.mutex);
    state.asked = true;
    state.changed.notify_all();
  }
  // Blocks until a stop is requested, or until `seconds` have passed (0: no limit).
  static void wait(unsigned seconds) {
    State& state = shared();
    std::unique_lock lock(state.mutex);
    const auto asked = [&] { return state.asked; };
    if (seconds == 0) {
      state.changed.wait(lock, asked);
    } else {
      state.changed.wait_for(lock, std::chrono::seconds(seconds), asked);
    }
  }

 private:
  struct State {
    std::mutex mutex;  // protects `asked`
    std::condition_variable changed;
    bool asked = false;
  };
  static State& shared() {
    static State state;
    return state;
  }
  static BOOL WINAPI on_console(DWORD) {
    ask();
    return TRUE;  // handled: the process ends when main has released everything
  }
};

}  // namespace lab
