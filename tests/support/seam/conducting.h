// What the seam asks the conductor (conductor.h). Tests do not include this.
#pragma once

#include "seam.h"

namespace test {

// What came out of a port.
struct HandedPacket {
  bool ok = false;
  DWORD error = 0;
  OVERLAPPED_ENTRY entry{};
  bool any() const { return ok || entry.lpOverlapped != nullptr; }
};
struct Conducting {
  // Another thread may go on here: "before ", "WSASend".
  static void stop(const char* when, const char* what);
  // For locks.cpp. This thread runs code under test, and a conductor is at work.
  static bool controls_this_thread();
  static void wait_for_lock(const void* mutex);  // returns when it may be free, or the conductor has gone
  static void unlocked(const void* mutex);
  static bool locks_are_known();
  // A packet for this thread. False when no conductor is at work: then ask the port itself.
  static bool wait(HANDLE port, HandedPacket& packet);
  // One more that is there already, for GetQueuedCompletionStatusEx.
  static bool more(HANDLE port, HandedPacket& packet);
  // The most that a receive may take.
  static DWORD most_bytes(DWORD wanted);
};

}  // namespace test
