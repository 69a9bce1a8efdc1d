// Threads that stop between any two instructions.
#pragma once

namespace test {

// While one lives, its thread runs instruction by instruction, and lets others go on after some of them: also between two
// steps of something that should be one. A few hundred rounds so find what millions of free rounds may not find, on one
// core as on many. On Linux with x86-64, without a debugger and without ThreadSanitizer; elsewhere it does nothing, and
// threads meet by chance alone. An instruction then takes a microsecond or two.
class Interrupted {
 public:
  Interrupted();
  ~Interrupted();
  Interrupted(const Interrupted&) = delete;
  Interrupted& operator=(const Interrupted&) = delete;
};

}  // namespace test
