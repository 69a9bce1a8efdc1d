#include "seam.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

#include "call_rules.h"
#include "calls.h"
#include "conducting.h"

#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif

#ifdef TEST_TSAN
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
void AnnotateHappensBefore(const char* file, int line, const volatile void* address);
void AnnotateHappensAfter(const char* file, int line, const volatile void* address);
}
#endif

namespace test {
namespace {

thread_local unsigned unwatched = 0;

// The order that the system itself makes: what was written before an operation was posted is seen by who gets its
// completion. ThreadSanitizer is told, because it does not see our hand-over.
void before_completion([[maybe_unused]] const void* overlapped) {
#ifdef TEST_TSAN
  AnnotateHappensBefore(__FILE__, __LINE__, overlapped);
#endif
}
void after_completion([[maybe_unused]] const void* overlapped) {
#ifdef TEST_TSAN
  AnnotateHappensAfter(__FILE__, __LINE__, overlapped);
#endif
}
char posted_packets;  // stands for the packets that carry no operation

struct Script {
  struct Step {
    unsigned after;
    unsigned times;
    int error;
  };
  std::mutex mutex;  // protects what follows
  std::map<Call, std::deque<Step>> steps;
  std::map<Call, std::function<void()>> meanwhile;
  std::deque<DWORD> short_sends;
  std::deque<std::pair<DWORD, DWORD>> disguises;  // an error, a number of bytes
};
Script& script() {
  static Script* const one = new Script;  // never destroyed: threads may outlive main
  return *one;
}
std::atomic<bool> scripted{false};
std::atomic<DWORD> last_concurrency{0};
std::atomic<int> last_backlog{0};

// The error with which this call has to fail, or 0.
int scripted_error(Call call) {
  if (!scripted) return 0;
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  const auto found = script().steps.find(call);
  if (found == script().steps.end() || found->second.empty()) return 0;
  Script::Step& step = found->second.front();
  if (step.after > 0) {
    --step.after;
    return 0;
  }
  const int error = step.error;
  if (--step.times == 0) found->second.pop_front();
  return error;
}

void do_meanwhile(Call call) {
  if (!scripted) return;
  std::function<void()> what;
  {
    const OutOfSight hidden;
    std::lock_guard lock(script().mutex);
    what = std::exchange(script().meanwhile[call], nullptr);
  }
  if (what) what();
}

void shorten(DWORD& bytes) {
  if (!scripted) return;
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  if (script().short_sends.empty() || bytes == 0) return;
  bytes = std::min(bytes, script().short_sends.front());
  script().short_sends.pop_front();
}

void disguise(DWORD& error, DWORD& bytes) {
  if (!scripted) return;
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  if (script().disguises.empty()) return;
  std::tie(error, bytes) = script().disguises.front();
  script().disguises.pop_front();
}

// What the call returns when it fails.
template <Call call, class Result>
Result failure_of() {
  if constexpr (std::is_same_v<Result, SOCKET>) {
    return INVALID_SOCKET;
  } else if constexpr (std::is_same_v<Result, HANDLE>) {
    return nullptr;
  } else {
    constexpr bool is_bool = call == Call::PostQueuedCompletionStatus || call == Call::CancelIoEx ||
                             call == Call::CloseHandle || call == Call::SetFileCompletionNotificationModes;
    return is_bool ? FALSE : SOCKET_ERROR;
  }
}

// Which socket a call is about.
template <class First, class... Rest>
SOCKET socket_of(First first, Rest...) {
  if constexpr (std::is_same_v<First, SOCKET>) {
    return first;
  } else if constexpr (std::is_same_v<First, HANDLE>) {
    return reinterpret_cast<SOCKET>(first);
  } else {
    return INVALID_SOCKET;
  }
}

// What a thread's last error is after a call that went well. Nothing says that it is 0 then: it may be of any call before.
constexpr DWORD kStaleError = WSAENOTSOCK;
thread_local bool has_called = false;
thread_local bool has_timed_out = false;

// A call of the code under test, from its first moment to its last. The thread's last error is that of the call when it
// failed, and a stale one when it went well; but who set it to 0 before the call finds 0.
class Visit {
 public:
  Visit(Call call, SOCKET socket) : call_(call), cleared_(std::exchange(has_called, true) && ::GetLastError() == 0) {
    if (!waits()) Conducting::stop("before ", name_of(call));
    const OutOfSight hidden;
    call_rules().enter(call, socket);
  }
  ~Visit() {
    const DWORD error = ::GetLastError();
    outcome.error = error;
    {
      const OutOfSight hidden;
      call_rules().leave(outcome);
    }
    if (!outcome.failed) do_meanwhile(call_);
    if (!waits()) Conducting::stop("after ", name_of(call_));
    if (waits() && outcome.failed && error == WAIT_TIMEOUT) has_timed_out = true;
    const bool meant = outcome.failed || outcome.pending;
    const DWORD stale = waits() && has_timed_out ? WAIT_TIMEOUT : kStaleError;
    ::SetLastError(meant ? error : cleared_ ? 0 : stale);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  CallRules::Outcome outcome;

 private:
  // It stops in the middle, until there is a packet for it.
  bool waits() const { return call_ == Call::GetQueuedCompletionStatus || call_ == Call::GetQueuedCompletionStatusEx; }

  const Call call_;
  const bool cleared_;
};

// Runs bookkeeping between a call and its caller: the thread's last error stays.
template <class Books>
void note(Books books) {
  const DWORD error = ::GetLastError();
  {
    const OutOfSight hidden;
    books();
  }
  ::SetLastError(error);
}

// --- The calls -------------------------------------------------------------------------------------------------------

template <Call call, class Result, class... Parameters>
Result pass(Result(WINAPI* real)(Parameters...), std::tuple<std::type_identity_t<Parameters>...> arguments) {
  if (unwatched > 0) return std::apply(real, arguments);
  if constexpr (call == Call::CloseHandle) {  // the C++ library of MinGW closes its threads so
    if (!call_rules().knows_port(std::get<0>(arguments))) return std::apply(real, arguments);
  }
  Visit visit(call, std::apply([](auto... all) { return socket_of(all...); }, arguments));
  if (const int error = scripted_error(call)) {
    ::SetLastError(static_cast<DWORD>(error));
    visit.outcome.failed = true;
    return failure_of<call, Result>();
  }
  // What ends is noted before the call: a moment later the handle may be a new one's.
  if constexpr (call == Call::closesocket) note([&] { call_rules().closing(std::get<0>(arguments)); });
  if constexpr (call == Call::CloseHandle) note([&] { call_rules().port_closing(std::get<0>(arguments)); });
  if constexpr (call == Call::PostQueuedCompletionStatus) before_completion(&posted_packets);
  const Result result = [&] {
    const Unwatched system;
    return std::apply(real, arguments);
  }();
  visit.outcome.failed = result == failure_of<call, Result>();
  if constexpr (call == Call::send || call == Call::recv) visit.outcome.bytes = result;
  if constexpr (call == Call::socket || call == Call::WSASocketW || call == Call::accept) {
    if (result != INVALID_SOCKET) note([&] { call_rules().opened(result, call == Call::accept); });
  }
  if constexpr (call == Call::listen) last_backlog = std::get<1>(arguments);
  if constexpr (call == Call::CreateIoCompletionPort) {
    if (std::get<1>(arguments) == nullptr) last_concurrency = std::get<3>(arguments);
  }
  if constexpr (call == Call::CreateIoCompletionPort) {
    const HANDLE file = std::get<0>(arguments);
    const HANDLE port = std::get<1>(arguments);
    if (result != nullptr) {
      note([&] {
        if (port == nullptr) call_rules().port_opened(result);
        if (file != INVALID_HANDLE_VALUE) call_rules().associated(reinterpret_cast<SOCKET>(file));
      });
    }
  }
  return result;
}

bool was_posted(int result) { return result == 0 || ::WSAGetLastError() == WSA_IO_PENDING; }

// An overlapped call: in the books before it is made, for its completion may come before it returns.
template <class Make>
int post(Call call, SOCKET s, LPWSABUF buffers, DWORD count, LPWSAOVERLAPPED overlapped, Make make) {
  Visit visit(call, s);
  if (const int error = scripted_error(call)) {
    ::WSASetLastError(error);
    visit.outcome.failed = true;
    return SOCKET_ERROR;
  }
  if (overlapped == nullptr || buffers == nullptr || count == 0) {
    const int result = make(buffers, count);
    visit.outcome.failed = result != 0;
    return result;
  }
  CallRules::Posting posting;
  std::vector<WSABUF> some(buffers, buffers + count);
  {
    const OutOfSight hidden;
    char here = 0;
    posting = call_rules().posting(s, call == Call::WSASend, buffers, count, overlapped, &here);
    if (call == Call::WSARecv) {
      DWORD all = 0;
      for (const WSABUF& buffer : some) all += buffer.len;
      DWORD most = Conducting::most_bytes(all);
      for (WSABUF& buffer : some) {
        buffer.len = std::min<ULONG>(buffer.len, most);
        most -= buffer.len;
      }
      while (some.size() > 1 && some.back().len == 0) some.pop_back();
    }
  }
  note([&] { put_away(overlapped); });
  before_completion(overlapped);
  const int result = [&] {
    const Unwatched system;
    return make(some.data(), static_cast<DWORD>(some.size()));
  }();
  visit.outcome.failed = !was_posted(result);
  visit.outcome.pending = result != 0 && !visit.outcome.failed;
  note([&] {
    if (visit.outcome.failed) bring_back(overlapped);
    call_rules().posted(posting, overlapped, visit.outcome.failed);
  });
  return result;
}

// Windows writes the number of bytes as the last thing before the call returns. By then the operation may have been handled
// on another thread: whoever has the number written into it overwrites what is somebody else's.
int tell_bytes(int result, DWORD moved, LPDWORD bytes) {
  if (result == 0 && bytes != nullptr) *bytes = moved;
  return result;
}

int WINAPI seen_WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags, LPWSAOVERLAPPED overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
  const auto real = win32::real_calls().WSARecv;
  if (unwatched > 0) return real(s, buffers, count, bytes, flags, overlapped, routine);
  DWORD moved = 0;
  LPDWORD const told = bytes != nullptr ? &moved : nullptr;
  const int result = post(Call::WSARecv, s, buffers, count, overlapped,
                          [&](LPWSABUF b, DWORD n) { return real(s, b, n, told, flags, overlapped, routine); });
  return tell_bytes(result, moved, bytes);
}

int WINAPI seen_WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags, LPWSAOVERLAPPED overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
  const auto real = win32::real_calls().WSASend;
  if (unwatched > 0) return real(s, buffers, count, bytes, flags, overlapped, routine);
  DWORD moved = 0;
  LPDWORD const told = bytes != nullptr ? &moved : nullptr;
  const int result = post(Call::WSASend, s, buffers, count, overlapped,
                          [&](LPWSABUF b, DWORD n) { return real(s, b, n, told, flags, overlapped, routine); });
  return tell_bytes(result, moved, bytes);
}

std::atomic<std::size_t> waiting_for_packets{0};

// Counts a thread while it waits in the port.
class Wait {
 public:
  explicit Wait(DWORD milliseconds) : counts_(milliseconds > 0) {
    if (counts_) waiting_for_packets.fetch_add(1, std::memory_order_relaxed);
  }
  ~Wait() {
    if (counts_) waiting_for_packets.fetch_sub(1, std::memory_order_relaxed);
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  const bool counts_;
};

// A packet reaches the code under test.
void hand_over(OVERLAPPED* overlapped, bool ok, DWORD& bytes) {
  bool is_send = false;
  {
    const OutOfSight hidden;
    const bool untouched = overlapped == nullptr || bring_back(overlapped);
    is_send = call_rules().completed(overlapped, ok, bytes, untouched);
  }
  if (overlapped == nullptr) {
    after_completion(&posted_packets);
    return;
  }
  if (is_send && ok) shorten(bytes);
  after_completion(overlapped);
  after_completion(&posted_packets);
}

BOOL WINAPI seen_GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED* overlapped,
                                           DWORD milliseconds) {
  const auto real = win32::real_calls().GetQueuedCompletionStatus;
  if (unwatched > 0) return real(port, bytes, key, overlapped, milliseconds);
  Visit visit(Call::GetQueuedCompletionStatus, INVALID_SOCKET);
  if (const int error = scripted_error(Call::GetQueuedCompletionStatus)) {
    visit.outcome.failed = true;
    *overlapped = nullptr;
    ::SetLastError(static_cast<DWORD>(error));
    return FALSE;
  }
  HandedPacket packet;
  bool conducted = false;
  {
    const OutOfSight hidden;
    conducted = Conducting::wait(port, packet);
  }
  if (conducted) {
    *overlapped = packet.entry.lpOverlapped;
    if (packet.any()) {
      *bytes = packet.entry.dwNumberOfBytesTransferred;
      *key = packet.entry.lpCompletionKey;
    }
  } else {
    const Unwatched system;
    const Wait waiting(milliseconds);
    packet.ok = real(port, bytes, key, overlapped, milliseconds) != FALSE;
    packet.error = packet.ok ? 0 : ::GetLastError();
    packet.entry.lpOverlapped = *overlapped;
  }
  visit.outcome.failed = !packet.ok;
  if (packet.any()) hand_over(*overlapped, packet.ok, *bytes);
  if (packet.any() && !packet.ok) disguise(packet.error, *bytes);
  ::SetLastError(packet.error);
  return packet.ok;
}

BOOL WINAPI seen_GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count, PULONG removed,
                                             DWORD milliseconds, BOOL alertable) {
  const auto real = win32::real_calls().GetQueuedCompletionStatusEx;
  if (unwatched > 0) return real(port, entries, count, removed, milliseconds, alertable);
  Visit visit(Call::GetQueuedCompletionStatusEx, INVALID_SOCKET);
  if (const int error = scripted_error(Call::GetQueuedCompletionStatusEx)) {
    visit.outcome.failed = true;
    *removed = 0;
    ::SetLastError(static_cast<DWORD>(error));
    return FALSE;
  }
  HandedPacket packet;
  bool conducted = false;
  DWORD error = 0;
  {
    const OutOfSight hidden;
    conducted = Conducting::wait(port, packet);
    if (conducted) {
      *removed = 0;
      if (packet.any()) entries[(*removed)++] = packet.entry;
      while (*removed > 0 && *removed < count && Conducting::more(port, packet)) entries[(*removed)++] = packet.entry;
      error = *removed > 0 ? 0 : packet.error;
    }
  }
  if (!conducted) {
    const Unwatched system;
    const Wait waiting(milliseconds);
    error = real(port, entries, count, removed, milliseconds, alertable) ? 0 : ::GetLastError();
  }
  visit.outcome.failed = error != 0;
  for (ULONG i = 0; error == 0 && i < *removed; ++i) {
    const bool ok = entries[i].lpOverlapped == nullptr || entries[i].Internal == 0;
    hand_over(entries[i].lpOverlapped, ok, entries[i].dwNumberOfBytesTransferred);
    DWORD untold = 0;
    if (!ok) disguise(untold, entries[i].dwNumberOfBytesTransferred);
  }
  ::SetLastError(error);
  return error == 0;
}

// The others are made as they are. `socket` and its like are names of types, too, so each has a function of its own.
#define CALL(result, name, parameters, arguments) \
  result WINAPI plain_##name parameters { return pass<Call::name>(win32::real_calls().name, std::make_tuple arguments); }
#include "calls.inc"

}  // namespace

const char* name_of(Call call) {
  static constexpr const char* kNames[] = {
#define CALL(result, name, parameters, arguments) #name,
#include "calls.inc"
  };
  return kNames[static_cast<unsigned>(call)];
}

void install_seam() {
  static win32::Calls observer = {
#define CALL(result, name, parameters, arguments) &plain_##name,
#include "calls.inc"
  };
  observer.WSARecv = &seen_WSARecv;
  observer.WSASend = &seen_WSASend;
  observer.GetQueuedCompletionStatus = &seen_GetQueuedCompletionStatus;
  observer.GetQueuedCompletionStatusEx = &seen_GetQueuedCompletionStatusEx;
  win32::watch_calls(observer);
}

Unwatched::Unwatched() { ++unwatched; }
Unwatched::~Unwatched() { --unwatched; }
bool Unwatched::here() { return unwatched > 0; }

namespace {
thread_local unsigned hidden_depth = 0;

void hide([[maybe_unused]] bool hidden) {
#ifdef TEST_TSAN
  if (hidden) {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
  } else {
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#endif
}
}  // namespace

OutOfSight::OutOfSight() {
  if (hidden_depth++ == 0) hide(true);
}
OutOfSight::~OutOfSight() {
  if (--hidden_depth == 0) hide(false);
}
bool OutOfSight::here() { return hidden_depth > 0; }
InSight::InSight() {
  if (hidden_depth > 0) hide(false);
}
InSight::~InSight() {
  if (hidden_depth > 0) hide(true);
}

Faults::Faults() { scripted = true; }
Faults::~Faults() {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  script().steps.clear();
  script().meanwhile.clear();
  script().short_sends.clear();
  script().disguises.clear();
  scripted = false;
}

void Faults::fail(Call call, int error, unsigned times, unsigned after) {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  script().steps[call].push_back({after, times, error});
}

void Faults::meanwhile(Call call, std::function<void()> what) {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  script().meanwhile[call] = std::move(what);
}

void Faults::shorten_next_send(DWORD bytes) {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  script().short_sends.push_back(bytes);
}

void Faults::disguise_next_failure(DWORD error, DWORD bytes) {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  script().disguises.emplace_back(error, bytes);
}

std::size_t Faults::left() const {
  const OutOfSight hidden;
  std::lock_guard lock(script().mutex);
  std::size_t sum = script().short_sends.size() + script().disguises.size();
  for (const auto& [call, steps] : script().steps) {
    for (const auto& step : steps) sum += step.times;
  }
  return sum;
}

DWORD concurrency_of_last_port() { return last_concurrency; }
int backlog_of_last_listener() { return last_backlog; }

std::size_t count_of(Call call) { return call_rules().count_of(call, nullptr); }
std::size_t count_of(Call call, SOCKET socket) { return call_rules().count_of(call, &socket); }
std::size_t threads_waiting_for_packets() { return waiting_for_packets.load(std::memory_order_relaxed); }
std::vector<std::string> calls_on(SOCKET socket) { return call_rules().calls_on(socket); }

void begin_thread() {
  has_called = true;
  ::SetLastError(kStaleError);
}

void begin_watch() { call_rules().begin(); }
void next_seed() { call_rules().next_seed(); }
std::string end_watch(bool passed) { return call_rules().end(passed); }
void record_timeline(const char* file) { call_rules().record(file); }
void note_step(const char* what, bool failed) {
  const OutOfSight hidden;
  call_rules().step(what, failed);
}
void print_broken_rules(bool print) { call_rules().print(print); }
std::string broken_rule() { return call_rules().broken(); }
std::string last_seen(bool with_cause) { return call_rules().last_seen(with_cause); }

void adopt_socket(SOCKET server_side) {
  const OutOfSight hidden;
  call_rules().opened(server_side, true);
}
void note_client_sent(std::uint16_t port, std::size_t bytes) {
  const OutOfSight hidden;
  call_rules().client_sent(port, bytes);
}
void note_client_ended(std::uint16_t port) {
  const OutOfSight hidden;
  call_rules().client_ended(port);
}

}  // namespace test
