// A test that tells a story: numbered steps, then what should have been and what was, then where to read.
//
//   LAB_TEST(Lab01, FindGivesTheClient, "N5", "lab01_accept/README.md#step-1") {
//     lab::ClientTable table(10);
//     auto client = std::make_shared<lab::Client>();
//     STEP("a client is inserted");
//     check("insert takes it", table.insert(client));
//     STEP("it is looked up by its id");
//     check("find gives the same object", table.find(client->id) == client);
//   }
//
// What a failure looks like; the grader looks for these beginnings of lines:
//   story: 1. a client is inserted
//   story: 2. it is looked up by its id
//   story: expected: find gives the same object, but it is false
//   story: read: N5, lab01_accept/README.md#step-1
//   not started: lab01 TODO 2       the test came to a function that is not written yet
//   hang: ...                       a step took too long; the process has ended with kExitHang
//   crash: ...                      an exception left a thread; the process has ended
//   early exit: ...                 the code called exit(); the process has ended with kExitEarly
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "evidence.h"
#include "waiting.h"

namespace test {

constexpr int kExitHang = 4;
constexpr int kExitEarly = 5;

// Where in the test a check stands.
struct Place {
  const char* file;
  int line;
};

// A check that failed. It ends the test body; LAB_TEST turns it into the failure.
class Unmet : public std::runtime_error {
 public:
  Unmet(const std::string& what, Place where) : std::runtime_error(what), place(where) {}
  Place place;
};

// Adds a step to the running test's story and prints it. Any thread may call it.
void step(const std::string& what);

// From here on this seed or order is played: prints "seed: 7", "seed: 0/12.1".
void begin_seed(const std::string& seed);
inline void begin_seed(std::uint64_t seed) { begin_seed(std::to_string(seed)); }
void end_seeds();
// Prints "decisions: ..." after a failed run, and "orders: ..." after the last one of a test.
void print_decisions(const std::string& order, const std::vector<std::string>& in_words);
void print_orders(const std::string& what);

// Ends the test: "story: <what>".
[[noreturn]] void fail(const std::string& what, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// For scheduling/: is called first when a check fails, on its thread. Set on the test's own thread; null at first.
extern std::atomic<void (*)()> before_a_failure;

// For the tests of the harness: the check that failed was meant to fail.
void forget_failure();

// `what` is a sentence that should be true.
inline void check(const std::string& what, bool holds, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (!holds) fail("expected: " + what + ", but it is false", file, line);
  reached(what);
}

// A value as people read it.
template <class T>
std::string to_text(const T& value) {
  return ::testing::PrintToString(value);
}

// True for the types that std::cmp_equal takes: bool and the characters are not numbers.
template <class T>
constexpr bool is_number = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
                           !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char8_t> &&
                           !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;

// A number, and how many bytes its type has.
struct Number {
  std::uint64_t bits;  // of a negative one: its two's complement, in 64 bits
  std::size_t size;
};
template <class T>
Number as_number(T value) {
  return {static_cast<std::uint64_t>(value), sizeof value};
}

// What a wrong number tells of its cause: its bytes are swapped, it is below zero, its variable was never set. Returns
// " (...)", or an empty string.
std::string likely_reason(Number actual, Number expected);

// `what` names a value: "expected the id of the client to be 2, but it was 1".
template <class Actual, class Expected>
void check_equal(const std::string& what, const Actual& actual, const Expected& expected,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  bool equal = false;
  if constexpr (is_number<Actual> && is_number<Expected>) {
    equal = std::cmp_equal(actual, expected);  // 2 and 2u are the same number
  } else {
    equal = actual == expected;
  }
  if (!equal) {
    std::string why;
    if constexpr (is_number<Actual> && is_number<Expected>) why = likely_reason(as_number(actual), as_number(expected));
    fail("expected " + what + " to be " + to_text(expected) + ", but it was " + to_text(actual) + why, file, line);
  }
  reached(what);
}

// Waits for `condition()`. `what` is a sentence that should become true.
template <class Condition>
void check_eventually(const std::string& what, Condition condition, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  if (!eventually(condition)) {
    fail("expected within " + patience_text() + ": " + what + ", but it did not happen", file, line);
  }
  reached(what);
}

// A piece of the test on a thread of its own. What it throws (an unwritten TODO, a failed check) reaches the test.
//
// A thread that hangs cannot be taken back: then the process ends, with the story and "hang: <what>". So whatever the
// body refers to only has to outlive this object.
class Background {
 public:
  // `what` says what the thread does: "accept_loop".
  Background(std::string what, std::function<void()> body);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();  // waits, too; an exception that nobody asked for fails the test

  bool finished() const;  // the body has returned or thrown
  void finish();          // waits for it, and throws what it threw. Call it once.

 private:
  void join();

  std::string what_;
  std::atomic<bool> finished_{false};
  std::exception_ptr error_;  // written before finished_, read after
  std::thread thread_;        // last: it uses the others
};

// For LAB_TEST: runs the body of a test and reports how it ended.
void tell(const char* note, const char* handout, Place place, void (*body)());

// The running test met an unwritten TODO: that is then its failure, whatever else goes wrong. `what`: "not started: ...".
void remember_not_started(const std::string& what);

// For test_main: ends the process with a last line, the story's end, and an exit code. Any thread may call it.
[[noreturn]] void end_process(const std::string& last_line, int code);
bool test_is_running();
// Until the running test has taken too long.
Clock::duration time_left();

}  // namespace test

// A graded test. `note` is the number of the note it belongs to, `handout` the section that helps.
#define LAB_TEST(suite, name, note, handout)                                                \
  static void suite##_##name##_body();                                                      \
  TEST(suite, name) {                                                                       \
    ::test::tell(note, handout, ::test::Place{__FILE__, __LINE__}, &suite##_##name##_body); \
  }                                                                                         \
  static void suite##_##name##_body()

#define STEP(what) ::test::step(what)
