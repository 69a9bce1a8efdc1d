// Lets tests observe every Winsock and completion-port call of this executable.
//
//   the code under test -> ::WSARecv -> your observer -> real_calls().WSARecv -> the system
//
// The code under test is compiled as usual. On Linux the library's entry points call the observer; on Windows
// (platform/windows/watch_calls.cpp) the executable's import table is changed.
#pragma once

#include <winsock2.h>
#include <windows.h>

namespace win32 {

// One function for each observable call.
struct Calls {
#define CALL(result, name, parameters, arguments) result(WINAPI* name) parameters = nullptr;
#include "calls.inc"
};

// The calls themselves, without the observer. They also have their own last-error code.
const Calls& real_calls();

// Sends each later call of the executable to `observer`, which has every member set and outlives them all.
// Threads: call it once, at the start of main, before a second thread exists.
void watch_calls(const Calls& observer);

}  // namespace win32
