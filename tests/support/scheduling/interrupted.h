// Two threads meet: one stands still after each of its instructions in turn, and the other one comes by.
#pragma once

#include <functional>
#include <string>

namespace test {

// What two threads do at the same time. Each round begins with `prepare` and ends with `look`, on the test's own thread.
struct Encounter {
  const char* one_does;    // for the story: "insert"
  const char* other_does;  // "erase"
  std::function<void()> prepare;
  std::function<void()> one;
  std::function<void()> other;
  std::function<void()> look;
};

// Plays it round by round. In the first one, `one` stands still after its first instruction, and `other` runs from its
// beginning to its end; then `one` goes on. In the next round it stands still after its second instruction, and so on, until
// it has no more. If `other` waits for something that `one` has locked, `one` goes on before it ends. So a thing that should be
// one step, and is two, is found on each run. A failure tells at which line `one` stood still.
//
// Only instructions of this program count, not those of the system's libraries, nor of what stands in an Unwatched or an
// OutOfSight (seam.h); of a loop some rounds, and of a long `one` every second or third instruction. A busy machine has time
// for less.
// On Linux with x86-64, without a debugger and without ThreadSanitizer. Elsewhere they come one after the other, in both
// orders, which is all that ThreadSanitizer needs; then both just begin at the same moment, some times, and how they meet is
// chance. Returns the number of rounds.
//
// `one` runs on the calling thread; what `other` throws reaches it. Neither may end by an exception on purpose.
int at_each_instruction(const Encounter& encounter);

// This thread goes on as any other. For fail(): an exception takes too many instructions.
void stand_still_no_more();

}  // namespace test
