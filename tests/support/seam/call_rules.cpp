#include "call_rules.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "calls.h"
#include "error_names.h"
#include "thread_end.h"

#ifndef _WIN32
#include <pthread.h>

#include <filesystem>
#endif

namespace test {
namespace {

// What a receive buffer holds from posting on, so that a stranger's bytes show.
constexpr unsigned char kFiller = 0xC9;

std::uint64_t checksum_of(const std::vector<WSABUF>& buffers) {
  std::uint64_t sum = 14695981039346656037u;  // FNV-1a
  for (const WSABUF& buffer : buffers) {
    for (ULONG i = 0; i < buffer.len; ++i) {
      sum = (sum ^ static_cast<unsigned char>(buffer.buf[i])) * 1099511628211u;
    }
  }
  return sum;
}

bool is_filler_after(const std::vector<WSABUF>& buffers, std::size_t used) {
  for (const WSABUF& buffer : buffers) {
    const std::size_t skip = std::min<std::size_t>(used, buffer.len);
    used -= skip;
    for (std::size_t i = skip; i < buffer.len; ++i) {
      if (static_cast<unsigned char>(buffer.buf[i]) != kFiller) return false;
    }
  }
  return true;
}

// While an operation is in flight these members hold its number. The system does not look at them for a socket.
DWORD stamp_of(std::uint64_t number) { return static_cast<DWORD>(number) | 0x5A000000u; }

bool is_zero(const OVERLAPPED& overlapped) {
  static const OVERLAPPED zero{};
  return std::memcmp(&overlapped, &zero, sizeof zero) == 0;
}

// The highest address of this thread's stack.
const void* top_of_stack() {
#ifdef _WIN32
  ULONG_PTR low = 0, high = 0;
  ::GetCurrentThreadStackLimits(&low, &high);
  return reinterpret_cast<const void*>(high);
#else
  thread_local const void* const top = [] {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return static_cast<const void*>(nullptr);
    void* low = nullptr;
    std::size_t size = 0;
    ::pthread_attr_getstack(&attributes, &low, &size);
    ::pthread_attr_destroy(&attributes);
    return static_cast<const void*>(static_cast<char*>(low) + size);
  }();
  return top;
#endif
}

// How many threads this process has; 0: the platform does not tell. (On Windows the system has threads of its own.)
std::size_t threads_now() {
#ifdef _WIN32
  return 0;
#else
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
#endif
}

std::string seconds_since(Clock::time_point when) {
  std::ostringstream text;
  text.precision(1);
  text << std::fixed << std::chrono::duration<double>(Clock::now() - when).count() << " s";
  return text.str();
}

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string nth(std::uint64_t n) {
  const char* end = "th";
  if (n % 100 / 10 != 1) end = n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
  return std::to_string(n) + end;
}

constexpr std::size_t kCallsKept = 64;  // per socket

}  // namespace

CallRules& call_rules() {
  static CallRules* const one = new CallRules;  // never destroyed: threads may outlive main
  return *one;
}

namespace {

struct Owners {
  std::mutex mutex;  // protects what follows
  std::vector<OperationOwner*> all;
};
Owners& owners() {
  static Owners* const one = new Owners;  // never destroyed, as above
  return *one;
}

}  // namespace

void begin_ownership(OperationOwner& owner) {
  std::lock_guard lock(owners().mutex);
  owners().all.push_back(&owner);
}

void end_ownership(OperationOwner& owner) {
  std::lock_guard lock(owners().mutex);
  std::erase(owners().all, &owner);
}

void put_away(OVERLAPPED* overlapped) {
  std::lock_guard lock(owners().mutex);
  for (OperationOwner* owner : owners().all) owner->put_away(overlapped);
}

bool bring_back(OVERLAPPED* overlapped) {
  std::lock_guard lock(owners().mutex);
  bool untouched = true;
  for (OperationOwner* owner : owners().all) untouched = owner->bring_back(overlapped) && untouched;
  return untouched;
}

void CallRules::begin() {
  std::lock_guard lock(mutex_);
  active_ = true;
  broken_.clear();
  last_number_ = 0;
  last_client_ = last_listener_ = 0;
  in_flight_.clear();
  sockets_.clear();
  ports_.clear();
  peers_.clear();
  counts_.clear();
  last_failed_.reset();
  threads_.clear();
  last_thread_ = 0;
  ++generation_;
  threads_before_ = threads_now();
  me();  // the first: the test's own thread
  timeline_.restart();
}

void CallRules::next_seed() {
  std::lock_guard lock(mutex_);
  std::erase_if(sockets_, [](const auto& entry) { return !entry.second.open; });
  std::erase_if(ports_, [](const auto& entry) { return !entry.second; });
  peers_.clear();
  last_number_ = 0;
  last_client_ = last_listener_ = 0;
  if (std::all_of(threads_.begin(), threads_.end(), [](const ThreadSeen& thread) { return thread.gone || thread.index == 0; })) last_thread_ = 0;
  timeline_.restart();
}

std::string CallRules::end(bool passed) {
  const bool threads_left =
      passed && threads_before_ != 0 && !eventually([this] { return threads_now() <= threads_before_; });
  std::lock_guard lock(mutex_);
  active_ = false;
  if (!passed) return broken_;
  const auto left = [this](const std::string& what) { broke_locked("leak", "", what); };
  if (threads_left) left(plural(threads_now() - threads_before_, "thread") + " of the test still run at its end (N14)");
  if (!in_flight_.empty()) {
    left(plural(in_flight_.size(), "operation") + " never came out of the port; the first is the " +
         describe(in_flight_.begin()->second) + " (N9)");
  }
  std::size_t open = 0;
  SOCKET first = INVALID_SOCKET;
  for (const auto& [socket, state] : sockets_) {
    if (!state.open) continue;
    if (open++ == 0) first = socket;
  }
  if (open > 0) left(plural(open, "socket") + " is never closed; the first is that of " + client(first) + " (N5)");
  for (const auto& [port, is_open] : ports_) {
    if (is_open) left("a completion port is never closed (N1)");
  }
  return broken_;
}

std::string CallRules::broken() const {
  std::lock_guard lock(mutex_);
  return broken_;
}

void CallRules::print(bool print) {
  std::lock_guard lock(mutex_);
  prints_ = print;
}

void CallRules::broke_locked(const std::string& rule, const std::string& note, const std::string& what) {
  if (!broken_.empty()) return;
  broken_ = note.empty() ? rule + ": " + what : "rule: " + rule + " (" + note + "): " + what;
  if (timeline_.recording()) timeline_.moment_of_thread(me().index, broken_.c_str(), true);
  if (!prints_) return;
  std::printf("%s\n", broken_.c_str());
  std::fflush(stdout);
}

std::string CallRules::client(SOCKET socket) const {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return "a socket that is not known";
  return (found->second.listens ? "listener " : "client ") + std::to_string(found->second.client);
}

std::string CallRules::describe(const PostedOperation& op) const {
  return std::string(op.is_send ? "send" : "receive") + " of " + client(op.socket) + " (operation " +
         std::to_string(op.number) + ")";
}

// --- Sockets and ports -----------------------------------------------------------------------------------------------

void CallRules::opened(SOCKET socket, bool accepted) {
  std::uint16_t port = 0;
  sockaddr_in address{};
  int size = sizeof address;
  if (win32::real_calls().getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  std::lock_guard lock(mutex_);
  SocketState& state = sockets_[socket] = {};  // on Windows a closed socket's handle is used again
  state.listens = !accepted;
  state.client = accepted ? ++last_client_ : ++last_listener_;
  state.peer_port = port;
  if (!timeline_.recording() || port == 0) return;
  if (ThreadSeen& mine = me(); mine.inside) mine.bar.facts.client = state.client;
  const std::uint64_t sent = peers_.contains(port) ? peers_[port].sent : 0;
  timeline_.moment_of_client(state.client, ("is accepted" + (sent == 0 ? "" : ", and has sent " + plural(sent, "byte"))).c_str());
}

void CallRules::closing(SOCKET socket) {
  std::lock_guard lock(mutex_);
  const auto found = sockets_.find(socket);
  if (found == sockets_.end() || !active_) return;
  if (!found->second.open) {
    broke_locked("closed_once", "N5", "the socket of " + client(socket) + " is closed a second time. By then the handle " +
                                          "may belong to a new client.");
  }
  found->second.open = false;
  if (timeline_.recording() && found->second.peer_port != 0) timeline_.moment_of_client(found->second.client, "is closed by the server");
}

void CallRules::port_opened(HANDLE port) {
  std::lock_guard lock(mutex_);
  ports_[port] = true;
}

void CallRules::port_closing(HANDLE port) {
  std::lock_guard lock(mutex_);
  const auto found = ports_.find(port);
  if (found == ports_.end() || !active_) return;
#ifdef _WIN32
  ports_.erase(found);  // the next thing that is opened, a thread perhaps, may get the same handle
#else
  if (!found->second) broke_locked("closed_once", "N1", "a completion port is closed a second time.");
  found->second = false;
#endif
}

bool CallRules::knows_port(HANDLE port) const {
  const OutOfSight hidden;
  std::lock_guard lock(mutex_);
  return ports_.contains(port);
}

void CallRules::associated(SOCKET socket) {
  std::lock_guard lock(mutex_);
  const auto found = sockets_.find(socket);
  if (found != sockets_.end()) found->second.associated = true;
}

std::vector<HANDLE> CallRules::open_ports() const {
  std::lock_guard lock(mutex_);
  std::vector<HANDLE> open;
  for (const auto& [port, is_open] : ports_) {
    if (is_open) open.push_back(port);
  }
  return open;
}

// --- Operations ------------------------------------------------------------------------------------------------------

CallRules::Posting CallRules::posting(SOCKET socket, bool is_send, const WSABUF* buffers, DWORD count,
                                      OVERLAPPED* overlapped, const void* stack_end) {
  const auto on_stack = [stack_end](const void* at) { return at >= stack_end && at < top_of_stack(); };
  std::lock_guard lock(mutex_);
  if (!active_) return {};
  PostedOperation op;
  op.number = ++last_number_;
  op.socket = socket;
  op.is_send = is_send;
  op.buffers.assign(buffers, buffers + count);
  const auto known = sockets_.find(socket);
  if (known != sockets_.end()) op.client = known->second.client;

  if (const auto old = in_flight_.find(overlapped); old != in_flight_.end()) {
    broke_locked("not_reused", "N8, N9", "the OVERLAPPED of the " + describe(old->second) + " is posted again, for a " +
                                             (is_send ? "send" : "receive") + " of " + client(socket) +
                                             ", before its completion came out of the port.");
  } else if (!is_zero(*overlapped)) {
    broke_locked("zeroed", "N8", "the OVERLAPPED of the " + describe(op) +
                                     " is not all zero when it is posted. What is left in it from its last use means "
                                     "something to the system.");
  }
  bool stack = on_stack(overlapped);
  for (const WSABUF& buffer : op.buffers) stack = stack || on_stack(buffer.buf);
  if (stack) {
    broke_locked("not_on_stack", "N9, N11", "the OVERLAPPED or the buffer of the " + describe(op) +
                                                " is a local variable. When the function returns, the system still uses it.");
  }
  if (!is_send && known != sockets_.end()) {
    if (known->second.receives_out > 0) {
      broke_locked("one_recv", "N7", "a second receive of " + client(socket) + " is posted while one is outstanding, after " +
                                         plural(known->second.receives_done, "completed receive") +
                                         ". Two threads then handle its bytes, in any order.");
    }
    ++known->second.receives_out;
  }
  overlapped->Offset = overlapped->OffsetHigh = stamp_of(op.number);
  if (is_send) {
    op.checksum = checksum_of(op.buffers);
  } else {
    for (const WSABUF& buffer : op.buffers) std::memset(buffer.buf, kFiller, buffer.len);
  }
  const Posting posting{op.number, known == sockets_.end() || known->second.associated};
  if (timeline_.recording()) {
    Timeline::Facts facts;
    facts.client = known == sockets_.end() ? 0 : known->second.client;
    facts.operation = op.number;
    facts.bytes = 0;
    for (const WSABUF& buffer : op.buffers) facts.bytes += buffer.len;
    op.bar = timeline_.operation(is_send, facts);
    me().bar.facts = facts;
  }
  in_flight_[overlapped] = std::move(op);
  return posting;
}

void CallRules::posted(const Posting& posting, OVERLAPPED* overlapped, bool failed) {
  const auto [number, was_associated] = posting;
  if (number == 0) return;
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(overlapped);
  if (found == in_flight_.end() || found->second.number != number) {
    if (!was_associated && !failed) {
      broke_locked("associated_first", "N2, N3", "an operation is posted on a socket that is not associated with a port yet.");
    }
    return;
  }
  if (!failed) {
    if (!was_associated) {
      broke_locked("associated_first", "N2, N3", "the " + describe(found->second) +
                                                     " is posted on a socket that is not associated with the port yet. Its "
                                                     "completion may go nowhere.");
    }
    return;
  }
  overlapped->Offset = overlapped->OffsetHigh = 0;
  found->second.bar.facts.failed = true;
  timeline_.end(found->second.bar);
  const auto socket = sockets_.find(found->second.socket);
  if (!found->second.is_send && socket != sockets_.end() && socket->second.client == found->second.client) {
    --socket->second.receives_out;
  }
  in_flight_.erase(found);
}

void CallRules::out_of_port(OVERLAPPED* overlapped, DWORD bytes) {
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(overlapped);
  if (found == in_flight_.end()) return;
  found->second.out_of_port = true;
  found->second.bytes_out_of_port = bytes;
}

bool CallRules::completed(OVERLAPPED* overlapped, bool ok, DWORD bytes, bool untouched) {
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(overlapped);
  if (found == in_flight_.end()) {  // posted by PostQueuedCompletionStatus, or by the harness
    if (timeline_.recording()) me().bar.facts.posted = true;
    return false;
  }
  const PostedOperation& op = found->second;
  const DWORD stamp = stamp_of(op.number);
  if (!untouched) {
    broke_locked("not_changed", "N13", "a member of the " + describe(op) +
                                           " was written to while it was in flight. From posting to completion the whole "
                                           "operation belongs to the system.");
  }
  if (overlapped->Offset != stamp || overlapped->OffsetHigh != stamp || overlapped->hEvent != nullptr) {
    broke_locked("not_changed", "N13", "the OVERLAPPED of the " + describe(op) +
                                           " was written to, or freed, while it was in flight. From posting to completion "
                                           "it belongs to the system.");
  } else {
    overlapped->Offset = overlapped->OffsetHigh = 0;
    if (op.is_send ? checksum_of(op.buffers) != op.checksum : ok && !is_filler_after(op.buffers, bytes)) {
      broke_locked("buffer", "N11", "the buffer of the " + describe(op) +
                                        " was written to between posting and completion. Until then it is the system's.");
    }
  }
  const auto socket = sockets_.find(op.socket);
  if (socket != sockets_.end() && socket->second.client == op.client && !op.is_send) {
    SocketState& state = socket->second;
    --state.receives_out;
    state.bytes_received += bytes;
    if (ok && bytes > 0) ++state.receives_done;
    if (!ok || bytes == 0) state.ended = true;
  }
  if (timeline_.recording()) {
    Timeline::Bar bar = op.bar;
    bar.facts.bytes = bytes;
    bar.facts.failed = !ok;
    timeline_.end(bar);
    Timeline::Facts& call = me().bar.facts;
    call.client = bar.facts.client;
    call.operation = op.number;
    call.bytes = std::max(0ll, call.bytes) + bytes;
    ++call.packets;
  }
  const bool is_send = op.is_send;
  in_flight_.erase(found);
  return is_send;
}

void CallRules::releasing(const OVERLAPPED* overlapped) {
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(const_cast<OVERLAPPED*>(overlapped));
  if (found == in_flight_.end()) return;
  broke_locked("not_released", "N9", "the " + describe(found->second) +
                                         " is released before its completion came out of the port. The system still uses it.");
}

bool CallRules::more_is_due() const {
  std::lock_guard lock(mutex_);
  return completion_is_due_locked() || bytes_are_due_locked();
}

bool CallRules::completion_is_due_locked() const {
  return std::any_of(in_flight_.begin(), in_flight_.end(), [this](const auto& entry) {
    const PostedOperation& op = entry.second;
    const auto found = sockets_.find(op.socket);
    if (op.out_of_port || found == sockets_.end()) return false;
    const SocketState& state = found->second;
    if (!state.open || state.client != op.client || op.is_send) return true;
    const auto peer = peers_.find(state.peer_port);
    return peer != peers_.end() && (peer->second.ended || peer->second.sent > state.bytes_received);
  });
}

// Of sockets without a receive that could still take them.
bool CallRules::bytes_are_due_locked() const {
  return std::any_of(sockets_.begin(), sockets_.end(), [this](const auto& entry) {
    const auto& [socket, state] = entry;
    const auto peer = peers_.find(state.peer_port);
    if (!state.open || state.ended || peer == peers_.end() || peer->second.ended) return false;
    std::uint64_t here = state.bytes_received;
    for (const auto& [overlapped, op] : in_flight_) {
      if (op.socket != socket || op.client != state.client || op.is_send) continue;
      if (!op.out_of_port) return false;
      here += op.bytes_out_of_port;
    }
    u_long waiting = 0;
    return win32::real_calls().ioctlsocket(socket, FIONREAD, &waiting) == 0 && here + waiting < peer->second.sent;
  });
}

std::uint64_t CallRules::lane_of(const OVERLAPPED* overlapped) const {
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(const_cast<OVERLAPPED*>(overlapped));
  if (found == in_flight_.end()) return 0;
  const auto socket = sockets_.find(found->second.socket);
  return (socket == sockets_.end() ? 1u : 2u * socket->second.client) + (found->second.is_send ? 1u : 0u);
}

std::string CallRules::name_of_operation(const OVERLAPPED* overlapped) const {
  std::lock_guard lock(mutex_);
  const auto found = in_flight_.find(const_cast<OVERLAPPED*>(overlapped));
  return found == in_flight_.end() ? "a posted packet" : "the " + describe(found->second);
}

// --- Counting and looking --------------------------------------------------------------------------------------------

std::size_t CallRules::count_of(Call call, const SOCKET* socket) const {
  std::lock_guard lock(mutex_);
  if (socket == nullptr) {
    const auto found = counts_.find(call);
    return found == counts_.end() ? 0 : found->second;
  }
  const auto found = sockets_.find(*socket);
  if (found == sockets_.end()) return 0;
  return static_cast<std::size_t>(std::count(found->second.calls.begin(), found->second.calls.end(), call));
}

std::vector<std::string> CallRules::calls_on(SOCKET socket) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  if (const auto found = sockets_.find(socket); found != sockets_.end()) {
    for (const Call call : found->second.calls) names.push_back(name_of(call));
  }
  return names;
}

void CallRules::client_sent(std::uint16_t port, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  peers_[port].sent += bytes;
  if (const unsigned client = client_at(port); client != 0) timeline_.moment_of_client(client, ("sends " + plural(bytes, "byte")).c_str());
}

void CallRules::client_ended(std::uint16_t port) {
  std::lock_guard lock(mutex_);
  peers_[port].ended = true;
  if (const unsigned client = client_at(port); client != 0) timeline_.moment_of_client(client, "ends");
}

// For the timeline. 0: nobody records, or it is not accepted yet.
unsigned CallRules::client_at(std::uint16_t port) const {
  if (!timeline_.recording()) return 0;
  unsigned last = 0;
  for (const auto& [socket, state] : sockets_) {
    if (state.peer_port == port) last = std::max(last, state.client);
  }
  return last;
}

void CallRules::record(const char* file) {
  std::lock_guard lock(mutex_);
  timeline_.open(file);
}

void CallRules::step(const char* what, bool failed) {
  std::lock_guard lock(mutex_);
  if (active_ && timeline_.recording()) timeline_.moment_of_thread(me().index, what, failed);
}

// The thread's place in the books; it is marked gone when the thread ends.
CallRules::ThreadSeen& CallRules::me() {
  thread_local ThreadSeen* mine = nullptr;
  thread_local unsigned generation = 0;
  if (mine == nullptr || generation != generation_) {
    threads_.emplace_back();
    threads_.back().index = threads_.size() == 1 ? 0 : ++last_thread_;
    threads_.back().when = Clock::now();
    mine = &threads_.back();
    generation = generation_;
    at_thread_end([this, seen = mine, born = generation_] {
      const OutOfSight hidden;
      std::lock_guard lock(mutex_);
      if (born == generation_) seen->gone = true;
    });
  }
  return *mine;
}

void CallRules::enter(Call call, SOCKET socket) {
  std::lock_guard lock(mutex_);
  if (!active_) return;
  ++counts_[call];
  const auto found = sockets_.find(socket);
  if (found != sockets_.end() && found->second.calls.size() < kCallsKept) found->second.calls.push_back(call);
  ThreadSeen& mine = me();
  mine.call = call;
  mine.inside = true;
  ++mine.calls;
  mine.when = Clock::now();
  if (!timeline_.recording()) return;
  Timeline::Facts facts;
  if (found != sockets_.end()) (found->second.listens ? facts.listener : facts.client) = found->second.client;
  mine.bar = timeline_.call(mine.index, name_of(call), facts);
}

void CallRules::leave(const Outcome& outcome) {
  std::lock_guard lock(mutex_);
  if (!active_) return;
  ThreadSeen& mine = me();
  mine.inside = false;
  mine.when = Clock::now();
  if (outcome.failed && outcome.error != WAIT_TIMEOUT) last_failed_ = Failed{mine.call, outcome.error};
  if (!timeline_.recording()) return;
  Timeline::Facts& facts = mine.bar.facts;
  facts.failed = outcome.failed;
  facts.pending = outcome.pending;
  facts.error = outcome.failed ? outcome.error : 0;
  if (outcome.bytes >= 0) facts.bytes = outcome.bytes;
  timeline_.end(mine.bar);
}

std::string CallRules::last_seen(bool with_cause) const {
  std::lock_guard lock(mutex_);
  std::string text;
  std::size_t in_wait = 0, in_accept = 0;
  std::string busy, lost, poster;
  for (const ThreadSeen& thread : threads_) {
    if (thread.gone || thread.calls == 0 || (thread.index == 0 && !thread.inside)) continue;
    const std::string who = thread.index == 0 ? "the test's thread" : "thread " + std::to_string(thread.index);
    const std::string call = name_of(thread.call);
    text += "seen: " + who + (thread.inside ? " is in " + call + " since " + seconds_since(thread.when)
                                            : " made its last call, " + call + ", " + seconds_since(thread.when) + " ago") +
            "; " + plural(thread.calls, "call") + " so far\n";
    if (thread.index == 0) continue;
    const bool waits = thread.call == Call::GetQueuedCompletionStatus || thread.call == Call::GetQueuedCompletionStatusEx;
    const bool waited_long = Clock::now() - thread.when > std::chrono::seconds(2);
    if (thread.inside && waits) ++in_wait;
    if (thread.inside && thread.call == Call::accept && waited_long) ++in_accept;
    if (thread.calls > 20000 && busy.empty()) busy = who + " makes call after call, the last was " + call;
    if (!thread.inside && thread.call == Call::PostQueuedCompletionStatus) poster = who;
    if (!thread.inside && waited_long && lost.empty()) {
      lost = who + " has made no call since " + call + ": it is blocked on a lock, or in an endless loop";
    }
  }
  if (last_failed_) {
    text += std::string("seen: the last call that failed is ") + name_of(last_failed_->call) + ", with " +
            lab::error_text(static_cast<int>(last_failed_->error)) + "\n";
  }
  std::size_t shown = 0;
  for (const auto& [overlapped, op] : in_flight_) {
    if (shown++ == 8) break;
    text += "seen: outstanding is the " + describe(op) + "\n";
  }
  if (in_flight_.size() > 8) text += "seen: and " + std::to_string(in_flight_.size() - 8) + " operations more\n";

  std::string cause;
  std::size_t open = 0;
  for (const auto& [socket, state] : sockets_) {
    if (!state.open || state.listens || !state.associated) continue;
    ++open;
    // Without workers it is the test that posts, or does not.
    if (in_wait == 0 || !cause.empty() || state.receives_out > 0 || state.ended) continue;
    cause = client(socket) + (state.receives_done == 0
                                  ? " never had a receive pending: N2, N4"
                                  : " has no receive pending since its " + nth(state.receives_done) + " packet: N4");
  }
  if (cause.empty() && in_wait > 0 && !poster.empty()) {
    const auto posted = counts_.find(Call::PostQueuedCompletionStatus);
    cause = plural(in_wait, "thread") + (in_wait == 1 ? " waits" : " wait") + " for a packet; " + poster + " posted " +
            plural(posted == counts_.end() ? 0 : posted->second, "packet") +
            ", and waits for them to end. Each worker needs a packet of its own: N14";
  }
  if (cause.empty()) cause = busy;
  if (cause.empty()) cause = lost;
  if (cause.empty() && in_accept > 0) cause = "a thread waits in accept, and the listener is open: N2";
  if (cause.empty() && in_wait > 0 && in_flight_.empty() && open == 0) {
    cause = plural(in_wait, "thread") + " in GetQueuedCompletionStatus, and no packet comes that ends " +
            (in_wait == 1 ? "it" : "them") + ": N14";
  }
  if (with_cause && !cause.empty()) text += "cause: " + cause + "\n";
  return text;
}

}  // namespace test
