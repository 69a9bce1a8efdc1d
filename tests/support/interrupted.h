// Threads that stop between any two instructions.
#pragma once

#include "waiting.h"

namespace test {

// While one lives, its thread runs instruction by instruction, and lets others go on after some of them: also between two
// steps of something that should be one. A few hundred rounds so find what millions of free rounds may not find, on one
// core as on many. On Linux with x86-64, without a debugger and without ThreadSanitizer; elsewhere it does nothing, and
// threads meet by chance alone. An instruction then takes a microsecond or two.
class Interrupted {
 public:
  Interrupted();
  ~Interrupted();
  static void no_more();  // this thread goes on as any other
  Interrupted(const Interrupted&) = delete;
  Interrupted& operator=(const Interrupted&) = delete;
};

// Calls `body` so often, interrupted; less often when a busy machine makes it longer than a second.
template <class Body>
void interrupted_rounds(int most, Body body) {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(1);
  const Interrupted often;
  for (int i = 0; i < most && Clock::now() < end; ++i) body();
}

}  // namespace test
