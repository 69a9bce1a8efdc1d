// The ledger of operations: posted -> completed, and the rules that go with it. The seam calls it; tests do not.
//
//   rule              notes    what it says
//   associated_first  N2, N3   a socket is associated with the port before its first overlapped call
//   one_recv          N7       a client has at most one receive outstanding
//   zeroed            N8       the OVERLAPPED is zero when it is posted
//   not_reused        N8, N9   an OVERLAPPED is not posted again before its completion came out of the port
//   not_changed       N13      nobody writes to an OVERLAPPED in flight
//   not_released      N9       an operation is not released while it is in flight
//   buffer            N11      nobody writes to a buffer between posting and completion
//   not_on_stack      N9, N11  neither the OVERLAPPED nor the buffer lies on a stack
//   closed_once       N5       a socket or a port is closed once
//   leak              N5, N9   at the end every operation has completed, every socket, port and thread is gone
//
// Threads: any; one mutex protects it all. It is held for a few instructions, never during a call.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "seam.h"
#include "timeline.h"
#include "waiting.h"

namespace test {

// An operation that is the system's.
struct PostedOperation {
  std::uint64_t number = 0;  // counts up from 1 in each test
  SOCKET socket = INVALID_SOCKET;
  unsigned client = 0;  // whose socket it was then: on Windows a closed socket's handle is soon another client's
  bool is_send = false;
  std::vector<WSABUF> buffers;
  std::uint64_t checksum = 0;  // of what is sent
  bool out_of_port = false;  // the conductor has its packet
  DWORD bytes_out_of_port = 0;
  Timeline::Bar bar;
};

struct SocketState {
  unsigned client = 0;  // counts up from 1 in each test: "client 3", or "listener 1"
  bool open = true;
  bool listens = false;  // or will: it was made, not accepted
  bool associated = false;
  std::uint16_t peer_port = 0;
  unsigned receives_out = 0;
  std::uint64_t bytes_received = 0;
  unsigned receives_done = 0;  // with bytes
  bool ended = false;          // a receive completed with 0 bytes or an error
  std::vector<Call> calls;     // bounded
};

// What the client at the other end has done.
struct PeerState {
  std::uint64_t sent = 0;
  bool ended = false;
};

// Owns operations, and so knows what stands beside an OVERLAPPED: operation_ledger.h. While an operation is in flight its
// other members hold values that are valid and wrong: what reads them then goes wrong on every run.
// Threads: any. The functions are called out of sight (seam.h) and without a lock of the rules.
class OperationOwner {
 public:
  virtual ~OperationOwner() = default;
  virtual void put_away(OVERLAPPED* overlapped) = 0;    // it is about to be posted; nothing happens to one of another owner
  virtual bool bring_back(OVERLAPPED* overlapped) = 0;  // its completion is here; false: its members were written to
};

class CallRules {
 public:
  void begin();
  void next_seed();  // numbers count from 1 again, so that each seed tells the same story by itself
  std::string end(bool passed);
  std::string broken() const;
  void print(bool print);
  std::string last_seen(bool with_cause) const;

  // Calls, in the order of their life.
  void opened(SOCKET socket, bool accepted);
  void closing(SOCKET socket);
  void port_opened(HANDLE port);
  void port_closing(HANDLE port);
  bool knows_port(HANDLE port) const;
  void associated(SOCKET socket);
  // Before the call: the operation is in the books. After it: when it failed at once it leaves the books.
  struct Posting {
    std::uint64_t number = 0;  // 0: nobody watches
    bool was_associated = true;
  };
  Posting posting(SOCKET socket, bool is_send, const WSABUF* buffers, DWORD count, OVERLAPPED* overlapped,
                  const void* stack_end);
  void posted(const Posting& posting, OVERLAPPED* overlapped, bool failed);
  void out_of_port(OVERLAPPED* overlapped, DWORD bytes);  // the conductor has its packet, and hands it over later
  // True: it was a send; null: a posted packet. `untouched`: its owner says so.
  bool completed(OVERLAPPED* overlapped, bool ok, DWORD bytes, bool untouched = true);
  void releasing(const OVERLAPPED* overlapped);

  // Whether something must come soon: a completion, because its bytes were sent, the connection has ended, or it is a send;
  // or bytes that a client has sent, and that wait for no receive. A busy system takes its time with them.
  bool more_is_due() const;
  // Which lane a completion belongs to: completions of one lane come in order. 0: none of ours.
  std::uint64_t lane_of(const OVERLAPPED* overlapped) const;
  std::string name_of_operation(const OVERLAPPED* overlapped) const;
  std::vector<HANDLE> open_ports() const;

  std::size_t count_of(Call call, const SOCKET* socket) const;
  std::vector<std::string> calls_on(SOCKET socket) const;

  // A call begins and ends: it is counted, and is what its thread does, for last_seen().
  struct Outcome {
    bool failed = false;
    bool pending = false;
    DWORD error = 0;
    int bytes = -1;
  };
  void enter(Call call, SOCKET socket);
  void leave(const Outcome& outcome);

  // For the timeline alone.
  void record(const char* file);
  void step(const char* what, bool failed);

  void client_sent(std::uint16_t port, std::size_t bytes);
  void client_ended(std::uint16_t port);

 private:
  struct ThreadSeen {
    unsigned index = 0;
    Call call{};
    bool inside = false;
    bool gone = false;
    std::uint64_t calls = 0;
    Clock::time_point when;
    Timeline::Bar bar;
  };

  // A rule is broken; only the first one counts, and is printed at once.
  void broke_locked(const std::string& rule, const std::string& note, const std::string& what);
  std::string client(SOCKET socket) const;
  unsigned client_at(std::uint16_t port) const;
  std::string describe(const PostedOperation& op) const;
  bool completion_is_due_locked() const;
  bool bytes_are_due_locked() const;
  ThreadSeen& me();

  mutable std::mutex mutex_;  // protects what follows
  bool active_ = false;
  bool prints_ = true;
  std::string broken_;
  std::uint64_t last_number_ = 0;
  unsigned last_client_ = 0;
  unsigned last_listener_ = 0;
  std::map<OVERLAPPED*, PostedOperation> in_flight_;
  std::map<SOCKET, SocketState> sockets_;
  std::map<HANDLE, bool> ports_;  // true: open
  std::map<std::uint16_t, PeerState> peers_;
  std::map<Call, std::size_t> counts_;
  struct Failed {
    Call call;
    DWORD error;
  };
  std::optional<Failed> last_failed_;
  std::deque<ThreadSeen> threads_;
  unsigned last_thread_ = 0;  // index
  unsigned generation_ = 0;  // of the test: a thread's place in threads_ may be that of an older one
  std::size_t threads_before_ = 0;
  Timeline timeline_;
};

CallRules& call_rules();

// Between these two, operations are put away and brought back by `owner`, too.
void begin_ownership(OperationOwner& owner);
void end_ownership(OperationOwner& owner);
void put_away(OVERLAPPED* overlapped);
bool bring_back(OVERLAPPED* overlapped);

}  // namespace test
