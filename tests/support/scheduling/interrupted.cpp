#include "interrupted.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>

#include "seam.h"
#include "story.h"

#if defined(__linux__) && defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define TEST_CAN_STEP 1
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <unordered_map>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" const char __executable_start, etext;  // where this program's code begins and ends: from the linker
extern "C" __attribute__((weak)) const char __start_lab_harness, __stop_lab_harness;  // and that of locks.cpp, if it is linked
#endif

namespace test {
namespace {

// Some steps of nothing.
void linger(int steps) {
  for (int i = 0; i < 32 * steps; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps the loop
}

// The other thread. It waits until it is sent, does its part once, and waits again.
class Other {
 public:
  explicit Other(const Encounter& encounter)
      : thread_(std::string("the thread that does ") + encounter.other_does, [this, &encounter] { live(encounter); }) {
    while (!ready_) std::this_thread::yield();
  }
  ~Other() {
    quits_ = true;
    send();
  }

  void send(int steps = 0) {
    steps_ = steps;
    is_over_.store(false, std::memory_order_relaxed);
    go_to(Turn::sent);
  }
  // For two that come one after the other: these are relaxed, so they put nothing in order for ThreadSanitizer.
  void send_but_hold() {
    held_.store(true, std::memory_order_relaxed);
    send();
  }
  void let_go() { held_.store(false, std::memory_order_relaxed); }
  bool is_over() const { return is_over_.load(std::memory_order_relaxed); }
  bool has_begun() const { return turn_ != Turn::sent; }
  bool has_ended() const { return turn_ == Turn::ended; }
  bool yields() const { return turn_ == Turn::yields; }
  // A short time, or until its turn changes.
  void wait_a_moment() { wait_while(turn_, 300); }
  // Waits for its end, bounded, and throws what it threw.
  void finish() {
    const auto end = Clock::now() + patience();
    while (!has_ended() && Clock::now() < end) wait_a_moment();
    check("both threads come to their ends", has_ended());
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  // For sched_yield: if this thread is an Other at work, it may wait for the one that stands still.
  static void note_yield() {
    Turn begun = Turn::begun;
    if (here_ != nullptr && here_->turn_.compare_exchange_strong(begun, Turn::yields)) here_->wake();
  }
#ifdef TEST_CAN_STEP
  pid_t id() const { return id_; }
  clockid_t clock() const { return clock_; }
#endif

 private:
  enum class Turn : std::int32_t { none, sent, begun, yields, ended };

  void go_to(Turn turn) {
    turn_ = turn;
    wake();
  }
#ifdef TEST_CAN_STEP
  // Who sleeps here is soon on a processor again, also on a busy machine; who yields is not. All of this may stand in a
  // signal handler.
  void wake() { ::syscall(SYS_futex, &turn_, FUTEX_WAKE_PRIVATE, 2, nullptr, nullptr, 0); }
  void wait_while(Turn turn, long microseconds) {
    const timespec limit{0, microseconds * 1000};
    ::syscall(SYS_futex, &turn_, FUTEX_WAIT_PRIVATE, static_cast<std::int32_t>(turn), &limit, nullptr, 0);
  }
#else
  void wake() {}
  void wait_while(Turn, long) { std::this_thread::yield(); }
#endif

  void live(const Encounter& encounter) {
#ifdef TEST_CAN_STEP
    ::pthread_getcpuclockid(::pthread_self(), &clock_);
    id_ = ::gettid();
#endif
    ready_ = true;
    here_ = this;
    for (;;) {
      for (Turn now = turn_; now != Turn::sent && !quits_; now = turn_) wait_while(now, 100'000);
      if (quits_) return;
      turn_ = Turn::begun;
      linger(steps_);
      while (held_.load(std::memory_order_relaxed) && !quits_) std::this_thread::yield();
      if (quits_) return;
      try {
        encounter.other();
      } catch (...) {
        error_ = std::current_exception();
      }
      is_over_.store(true, std::memory_order_relaxed);
      go_to(Turn::ended);
    }
  }

  static inline thread_local Other* here_ = nullptr;
  std::atomic<Turn> turn_{Turn::none};
  std::atomic<bool> quits_{false};
  std::atomic<bool> held_{false}, is_over_{false};
  int steps_ = 0;             // before it begins; written before turn_ is `sent`, read after
  std::exception_ptr error_;  // written before turn_ is `ended`, read after
  std::atomic<bool> ready_{false};
#ifdef TEST_CAN_STEP
  pid_t id_ = 0;              // written before ready_, read after; like clock_
  clockid_t clock_{};
#endif
  Background thread_;  // last: it uses the others
};

#ifdef TEST_CAN_STEP

// An instruction on the way of `one`: its address, and how often the way has come there.
struct Instruction {
  std::uintptr_t address = 0;
  int visit = 0;
};

// What the signal handler does on the thread that runs `one`.
struct Round {
  std::vector<std::uintptr_t>* way = nullptr;  // notes each instruction here; it does not grow
  Instruction stop;                            // or stands still here
  int visits = 0;
  bool stood_still = false;
  Other* other = nullptr;
};
thread_local Round* the_round = nullptr;

// The one breakpoint: an instruction that stops the processor replaces the first byte of another one. It is meant for the
// thread that runs `one`. A helper thread of the code under test may execute the same code meanwhile; it steps over: the
// original byte is back for one instruction. All of this may run in signal handlers.
class Breakpoint {
 public:
  void set(std::uintptr_t address) {
    const Guard guard(*this);
    byte_below_ = byte(address);
    address_ = address;
    update();
  }
  void remove() {
    const Guard guard(*this);
    if (address_ != 0) byte(address_) = byte_below_;
    address_ = 0;
  }
  // This thread stopped at this address. Returns whether the breakpoint is there: it is removed until end_step.
  bool begin_step(std::uintptr_t address) {
    const Guard guard(*this);
    if (address_ == 0 || address_ != address) return false;
    ++stepping_;
    update();
    return true;
  }
  void end_step() {
    const Guard guard(*this);
    --stepping_;
    update();
  }
  bool is_at(std::uintptr_t address) {
    const Guard guard(*this);
    return address_ != 0 && address_ == address;
  }

 private:
  struct Guard {
    explicit Guard(Breakpoint& of) : lock(of.lock_) {
      while (lock.test_and_set()) ::syscall(SYS_sched_yield);
    }
    ~Guard() { lock.clear(); }
    std::atomic_flag& lock;
  };
  static volatile unsigned char& byte(std::uintptr_t address) { return *reinterpret_cast<volatile unsigned char*>(address); }
  void update() {
    constexpr unsigned char kBreak = 0xCC;
    if (address_ != 0) byte(address_) = stepping_ == 0 ? kBreak : byte_below_;
  }

  std::atomic_flag lock_;  // protects the others
  std::uintptr_t address_ = 0;
  unsigned char byte_below_ = 0;
  int stepping_ = 0;  // threads that step over it
};
Breakpoint breakpoint;
thread_local bool steps_over = false;

constexpr long long kTrapFlag = 0x100;  // while it is set, the kernel sends SIGTRAP after each instruction

// The stack pointer goes past the red zone first, where the compiler may keep something.
void set_trap_flag(bool on) {
  if (on) {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
  } else {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
  }
}

// Whether this thread sleeps in the kernel: then it waits for the one that stands still.
bool sleeps(pid_t thread) {
  char text[256];
  std::snprintf(text, sizeof text, "/proc/self/task/%d/stat", thread);
  const int file = ::open(text, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = ::read(file, text, sizeof text - 1);
  ::close(file);
  text[size > 0 ? size : 0] = '\0';
  const char* const behind_name = std::strrchr(text, ')');
  return behind_name != nullptr && std::strncmp(behind_name, ") S", 3) == 0;
}

long long nanoseconds_of(const Other& other) {
  timespec used{};
  ::clock_gettime(other.clock(), &used);
  return used.tv_sec * 1'000'000'000LL + used.tv_nsec;
}

// Lets the other thread run until it has ended, or waits: sleeps, yields, or turns in a circle. A busy machine only makes
// this longer.
void stand_still(Other& other) {
  const long long spins = nanoseconds_of(other) + 300'000;
  other.send();
  while (!other.has_ended()) {
    other.wait_a_moment();
    if (other.has_begun() && (other.yields() || sleeps(other.id()) || nanoseconds_of(other) > spins)) return;
  }
}

bool is_of_this_program(std::uintptr_t address) {
  const auto at = [](const char& symbol) { return reinterpret_cast<std::uintptr_t>(&symbol); };
  const bool in_locks = address >= at(__start_lab_harness) && address < at(__stop_lab_harness);
  return address >= at(__executable_start) && address < at(etext) && !in_locks;
}

void on_trap(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto here = static_cast<std::uintptr_t>(registers[REG_RIP]);
  Round* const round = the_round;
  if (round != nullptr && round->way != nullptr) {
    std::vector<std::uintptr_t>& way = *round->way;
    const bool repeats = !way.empty() && way.back() == here;
    const bool is_the_harness = Unwatched::here() || OutOfSight::here();
    if (is_of_this_program(here) && !is_the_harness && !repeats && way.size() < way.capacity()) way.push_back(here);
  } else if (std::exchange(steps_over, false)) {
    registers[REG_EFL] &= ~kTrapFlag;
    breakpoint.end_step();
  } else {
    const std::uintptr_t stop = here - 1;  // the breakpoint is one byte long
    registers[REG_RIP] = static_cast<greg_t>(stop);
    if (round != nullptr && breakpoint.is_at(stop) && ++round->visits == round->stop.visit) {
      breakpoint.remove();
      round->stood_still = true;
      const int error = errno;
      stand_still(*round->other);
      errno = error;
    } else if (breakpoint.begin_step(stop)) {
      steps_over = true;
      registers[REG_EFL] |= kTrapFlag;
    }  // otherwise another thread removed it meanwhile
  }
}

// A debugger takes each SIGTRAP for its own.
bool is_debugged() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("TracerPid:")) return std::stol(line.substr(10)) != 0;
  }
  return false;
}

bool can_step() {
  static const bool can = [] {
    struct sigaction action {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    // A breakpoint is written into the program's code.
    const auto page = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~std::uintptr_t{4095};
    return !is_debugged() && ::access("/proc/self/task", X_OK) == 0 && ::sigaction(SIGTRAP, &action, nullptr) == 0 &&
           ::mprotect(reinterpret_cast<void*>(page), reinterpret_cast<std::uintptr_t>(&etext) - page,
                      PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
  }();
  return can;
}

// "accept.cpp:57", by what the compiler left for debuggers; empty: it cannot be told.
std::string source_line(std::uintptr_t address) {
  char command[512];
  char program[400] = {};
  if (::readlink("/proc/self/exe", program, sizeof program - 1) < 0) return "";
  std::snprintf(command, sizeof command, "addr2line -i -e '%s' %zx 2>/dev/null", program,
                address - reinterpret_cast<std::uintptr_t>(&__executable_start));
  FILE* const output = ::popen(command, "r");
  if (output == nullptr) return "";
  std::string found;
  char line[1024];
  while (std::fgets(line, sizeof line, output) != nullptr) {  // inlined functions first
    const std::string text(line);
    const auto slash = text.rfind('/');
    if (slash == std::string::npos || text.starts_with("/usr/") || !found.empty()) continue;
    found = text.substr(slash + 1, text.find_first_of(" \n", slash) - slash - 1);
  }
  ::pclose(output);
  return found;
}

// The way of `one` when nobody comes by: a round in which `other` comes after it.
std::vector<Instruction> way_of(const Encounter& encounter, Other& other) {
  const auto counts = [](int visit) { return visit <= 3 || visit == 6 || visit == 12; };  // of an instruction in a loop
  std::vector<std::uintptr_t> addresses;
  addresses.reserve(1 << 18);
  Round round;
  round.way = &addresses;
  encounter.prepare();
  the_round = &round;
  set_trap_flag(true);
  encounter.one();
  stand_still_no_more();
  other.send();
  other.finish();
  encounter.look();
  std::vector<Instruction> way;
  std::unordered_map<std::uintptr_t, int> visits;
  for (const std::uintptr_t address : addresses) {
    if (counts(++visits[address])) way.push_back({address, visits[address]});
  }
  return way;
}

// False: its way was another one this time, and it did not come there; so `other` came after it.
bool play(const Encounter& encounter, Round round) {
  encounter.prepare();
  try {
    the_round = &round;
    breakpoint.set(round.stop.address);
    encounter.one();
    stand_still_no_more();
    if (!round.stood_still) round.other->send();
    round.other->finish();
    encounter.look();
  } catch (...) {
    stand_still_no_more();
    if (!round.stood_still) throw;
    const std::string line = source_line(round.stop.address);
    step(std::string("this time ") + encounter.one_does + " stands still" + (line.empty() ? "" : " at " + line) +
         " while another thread does " + encounter.other_does);
    throw;
  }
  return round.stood_still;
}

#endif

// One after the other, in both orders. Nothing of ours puts their parts in order: so ThreadSanitizer sees on every run each
// access that the code under test does not protect, and before anything breaks.
void play_in_turns(const Encounter& encounter, Other& other) {
  encounter.prepare();
  other.send_but_hold();
  encounter.one();
  other.let_go();
  other.finish();
  encounter.look();

  encounter.prepare();
  other.send();
  for (const auto end = Clock::now() + patience(); !other.is_over() && Clock::now() < end;) std::this_thread::yield();
  encounter.one();
  other.finish();
  encounter.look();
}

// For more rounds, and for what the test does after them.
bool there_is_time() { return time_left() > 2 * patience(); }

// Both begin at the same moment, or one of them some steps later.
int play_by_chance(const Encounter& encounter, Other& other) {
  constexpr int kRounds = 60;
  play_in_turns(encounter, other);
  for (int i = 0; i < kRounds && there_is_time(); ++i) {
    encounter.prepare();
    other.send(i % 2 == 0 ? i : 0);
    while (!other.has_begun()) std::this_thread::yield();
    linger(i % 2 == 0 ? 0 : i);
    encounter.one();
    other.finish();
    encounter.look();
  }
  return kRounds;
}

}  // namespace

void stand_still_no_more() {
#ifdef TEST_CAN_STEP
  set_trap_flag(false);
  if (the_round == nullptr) return;
  breakpoint.remove();
  the_round = nullptr;
#endif
}

int at_each_instruction(const Encounter& encounter) {
  before_a_failure = &stand_still_no_more;  // an exception takes too many instructions
  Other other(encounter);
#ifdef TEST_CAN_STEP
  constexpr std::size_t kMost = 400;  // rounds, as good as
  if (can_step()) {
    const std::vector<Instruction> way = way_of(encounter, other);
    const std::size_t step = way.size() / kMost + 1;
    int rounds = 0;  // none in spite of the time: an emulated processor may have no trap flag
    for (std::size_t first = 0; first < 8; ++first) {  // so a machine that is too busy for all has some of each part
      for (std::size_t i = first * step; i < way.size() && there_is_time(); i += 8 * step) {
        Round round;
        round.stop = way[i];
        round.other = &other;
        rounds += play(encounter, round) ? 1 : 0;
      }
    }
    if (rounds > 0 || !there_is_time()) return rounds;
  }
#endif
  return play_by_chance(encounter, other);
}

}  // namespace test

#ifdef TEST_CAN_STEP
// std::this_thread::yield() of the code under test ends here, too.
extern "C" int sched_yield() {
  test::Other::note_yield();
  return static_cast<int>(::syscall(SYS_sched_yield));
}

// A thread that is stepped through may start another one. The C library blocks all signals meanwhile, and a SIGTRAP that is
// blocked ends the process; the new thread would inherit the trap flag, too.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) noexcept {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  const bool steps = test::the_round != nullptr && test::the_round->way != nullptr;
  if (steps) test::set_trap_flag(false);
  const int error = real(thread, attributes, start, argument);
  if (steps) test::set_trap_flag(true);
  return error;
}
#endif
