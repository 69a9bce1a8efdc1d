#include <unistd.h>

#include <chrono>
#include <thread>

#include "windows.h"

DWORD GetCurrentThreadId() {
  thread_local const auto id = static_cast<DWORD>(::gettid());
  return id;
}

void Sleep(DWORD milliseconds) {
  if (milliseconds == 0) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }
}

ULONGLONG GetTickCount64() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<ULONGLONG>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}
