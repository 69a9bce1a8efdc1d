// The public entry points: each one calls the observer, if there is one.
#include "real_calls.h"

#include <atomic>

#include "calls.h"

namespace {

constexpr win32::Calls kReal = {
#define CALL(result, name, parameters, arguments) &win32_linux::real::name,
#include "../../calls.inc"
};

std::atomic<const win32::Calls*> target{&kReal};   // set before a second thread exists; atomic costs nothing here

const win32::Calls& calls() { return *target.load(std::memory_order_acquire); }

}  // namespace

const win32::Calls& win32::real_calls() { return kReal; }

void win32::watch_calls(const Calls& observer) { target = &observer; }

#define CALL(result, name, parameters, arguments) \
  result name parameters { return calls().name arguments; }
#define OVERLOADED_CALL(result, name, parameters, arguments) \
  result win32_linux::name parameters { return calls().name arguments; }
#include "../../calls.inc"

SOCKET socket(win32_linux::Family family, int type, int protocol) { return win32_linux::socket(family, type, protocol); }
SOCKET socket(int family, __socket_type type, int protocol) { return win32_linux::socket(family, type, protocol); }
SOCKET socket(win32_linux::Family family, __socket_type type, int protocol) {
  return win32_linux::socket(family, type, protocol);
}
