// The seam: every Winsock and completion-port call of the code under test goes through here (platform/calls.h).
//
//   - the rules (call_rules.h) see what is posted, completed and closed;
//   - a call that goes well leaves a stale error code behind: who asks for the code then is told nonsense, as Windows may.
//     Once a thread has waited in vain for a packet, a packet leaves that old WAIT_TIMEOUT;
//   - a test can let calls fail, or something happen during one: Faults;
//   - a test can choose the order of things: Conductor and Shaker (conductor.h).
//
// The code under test is compiled as always. The harness's own calls are not seen: they stand in an Unwatched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "win32.h"

namespace test {

// One for each call that can be watched: Call::WSARecv.
enum class Call : unsigned {
#define CALL(result, name, parameters, arguments) name,
#include "calls.inc"
};
const char* name_of(Call call);

// While one lives, this thread's calls are the harness's own: they are made as they are, and nobody sees them.
class Unwatched {
 public:
  Unwatched();
  ~Unwatched();
  static bool here();
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

// Keeps the bookkeeping of the harness out of sight. ThreadSanitizer does not see its locks, which would order the threads
// of the code under test and so hide their races; the conductor does not stop threads at them.
class OutOfSight {
 public:
  OutOfSight();
  ~OutOfSight();
  static bool here();
  OutOfSight(const OutOfSight&) = delete;
  OutOfSight& operator=(const OutOfSight&) = delete;
};

// While one lives inside of an OutOfSight, things are seen again: for calls into the platform.
class InSight {
 public:
  InSight();
  ~InSight();
  InSight(const InSight&) = delete;
  InSight& operator=(const InSight&) = delete;
};

// Lets calls of the code under test fail. A call that fails so is not made. What is left of the script ends with the
// object; one at a time.
//
//   Faults faults;
//   faults.fail(Call::accept, WSAECONNRESET);          // the next accept fails
//   faults.fail(Call::WSARecv, WSAENOBUFS, 1, 2);      // two go well, the third fails
//
// Threads: any.
class Faults {
 public:
  Faults();
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // After `after` calls that are made, `times` calls of this kind fail with this error. For GetQueuedCompletionStatus
  // that is a call without a packet: FALSE, and a null OVERLAPPED. Scripts for the same call wait for one another.
  void fail(Call call, int error, unsigned times = 1, unsigned after = 0);

  // The next call of this kind that goes well: `what` happens on its thread, before the code under test knows; its calls are
  // watched. One for each kind of call.
  void meanwhile(Call call, std::function<void()> what);

  // The next completion of a send says that only so many bytes were sent (N19). They were all sent, in truth.
  void shorten_next_send(DWORD bytes);

  // The next completion of an operation that failed comes with this error and this number of bytes, whatever its own were.
  // GetQueuedCompletionStatusEx tells the number alone.
  void disguise_next_failure(DWORD error, DWORD bytes);

  // How many of the scripted failures have not happened yet.
  std::size_t left() const;
};

// The number of concurrent threads with which the code under test made its last port.
DWORD concurrency_of_last_port();
// The backlog with which it called listen last.
int backlog_of_last_listener();

// How often the code under test made this call since the test began, on this socket or on any. Faults count, too.
std::size_t count_of(Call call);
std::size_t count_of(Call call, SOCKET socket);

// How many threads of the code under test are in GetQueuedCompletionStatus or GetQueuedCompletionStatusEx now, with a time
// that is not 0. A worker that only looks, and looks again, is never one of them.
std::size_t threads_waiting_for_packets();

// The calls in their order: "CreateIoCompletionPort", "WSARecv". For this socket.
std::vector<std::string> calls_on(SOCKET socket);

// For test_main: from now on the seam sees every call.
void install_seam();

// For test_main: from now on each test writes its timeline into this file (timeline.h). note_step: a step of the story, or
// what was wrong at its end.
void record_timeline(const char* file);
void note_step(const char* what, bool failed = false);

// For Background: a thread begins, and its last error is a stale one. So a 0 before its first call is the code's own.
void begin_thread();

// For tell(): a test begins; it has ended, and `passed` is what it said itself. Then what was left behind is looked at,
// and the first broken rule comes back as a line: "rule: one_recv (N7): ...", "leak: ...". Empty: all is well.
void begin_watch();
void next_seed();
std::string end_watch(bool passed);
// The first rule that was broken so far, as such a line.
std::string broken_rule();
// Whether a broken rule is printed at once, as it is from the start. For tests that break rules on purpose.
void print_broken_rules(bool print);

// Lines "seen: ..." of what each thread was last seen doing, and which operations are outstanding; for a hang, or something
// that did not happen in time, a line "cause: ..." when one is likely.
std::string last_seen(bool with_cause = true);

// The other end of a connection, so that the rules can say "client 3": for net.h. `port` is the client's own port.
void adopt_socket(SOCKET server_side);              // made by the harness, owned by the code under test from now on
void note_client_sent(std::uint16_t port, std::size_t bytes);
void note_client_ended(std::uint16_t port);         // closed, half closed or reset: no more bytes will come

}  // namespace test
