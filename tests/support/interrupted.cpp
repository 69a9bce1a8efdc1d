#include "interrupted.h"

#if defined(__linux__) && defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <string>

#include <sched.h>

namespace test {
namespace {

thread_local std::uint32_t dice = 1;  // of its own thread, and of the handler on it

// The processor's trap flag: while it is set, the kernel sends SIGTRAP after each instruction. The stack pointer goes
// past the red zone first, where the compiler may keep something.
void set_trap_flag(bool on) {
  if (on) {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
  } else {
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
  }
}

// After one instruction of 32 others may go on; after one of 128 they do, for a while. All of this may stand in a handler.
void after_an_instruction(int) {
  dice = dice * 1664525u + 1013904223u;
  const std::uint32_t drawn = dice >> 16;
  if (drawn % 32 != 0) return;
  const int error = errno;
  if (drawn % 128 == 0) {
    const timespec moment{0, 1000};
    ::nanosleep(&moment, nullptr);
  } else {
    ::sched_yield();
  }
  errno = error;
}

// A debugger takes each SIGTRAP for its own.
bool is_debugged() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("TracerPid:", 0) == 0) return std::stol(line.substr(10)) != 0;
  }
  return false;
}

bool can_step() {
  struct sigaction action {};
  action.sa_handler = after_an_instruction;
  action.sa_flags = SA_RESTART;
  return !is_debugged() && ::sigaction(SIGTRAP, &action, nullptr) == 0;
}

}  // namespace

Interrupted::Interrupted() {
  static const bool can = can_step();
  dice += static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&dice) >> 6);  // each thread its own
  if (can) set_trap_flag(true);
}

Interrupted::~Interrupted() { no_more(); }
void Interrupted::no_more() { set_trap_flag(false); }

}  // namespace test

#else

namespace test {
Interrupted::Interrupted() = default;
Interrupted::~Interrupted() = default;
void Interrupted::no_more() {}
}  // namespace test

#endif
