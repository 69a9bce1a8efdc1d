// A place from which every Winsock and completion-port call of this executable can be watched. For tests.
//
//   the code under test -> ::WSARecv -> your observer -> real_calls().WSARecv -> the system
//
// The code under test is compiled as always. On Linux the library's entry points look here first; on Windows
// (platform/windows/watch_calls.cpp) the executable's import table is changed.
#pragma once

#include <winsock2.h>
#include <windows.h>

namespace win32 {

// One function for each call that can be watched.
struct Calls {
#define CALL(result, name, parameters, arguments) result(WINAPI* name) parameters = nullptr;
#include "calls.inc"
};

// The calls themselves: nobody watches these. The thread's last error is theirs, too.
const Calls& real_calls();

// From now on each call of the executable goes to `observer`, which has every member set and outlives them all.
// Threads: call it once, at the start of main, before there is a second thread.
void watch_calls(const Calls& observer);

}  // namespace win32
