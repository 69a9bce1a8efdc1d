// How a test ends: whatever leaves its body, or a thread, or is caught by the code under test, is a failure.
#include <gtest/gtest-spi.h>

#include <exception>
#include <stdexcept>

#include "not_started.h"
#include "story.h"

namespace test {
namespace {

// Exceptions whose text says nothing.
struct Silent : std::exception {
  const char* what() const noexcept override { return ""; }
};
struct SilentTodo : lab::NotStarted {
  SilentTodo() : NotStarted("") {}
  const char* what() const noexcept override { return ""; }
};
struct WithoutText : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

template <class Error>
void throws() {
  throw Error();
}

template <class Error>
void throws_in_a_thread() {
  const Background thread("a thread", [] { throw Error(); });
}

void catches_a_failed_check() {
  try {
    check("the sky is green", false);
  } catch (...) {
  }
}

void run(void (*body)()) { tell("-", "tests/support/README.md", {__FILE__, __LINE__}, body); }

TEST(Story, AnExceptionIsAFailureWhateverItSays) {
  EXPECT_NONFATAL_FAILURE(run(&throws<Silent>), "expected no exception");
  EXPECT_NONFATAL_FAILURE(run(&throws<SilentTodo>), "not started: ");
  EXPECT_NONFATAL_FAILURE(run(&throws<WithoutText>), "expected no exception");
}

TEST(Story, AnExceptionOfAThreadIsAFailureWhateverItSays) {
  EXPECT_NONFATAL_FAILURE(run(&throws_in_a_thread<Silent>), "expected no exception");
  EXPECT_NONFATAL_FAILURE(run(&throws_in_a_thread<SilentTodo>), "not started: ");
}

TEST(Story, AFailedCheckCannotBeCaught) { EXPECT_NONFATAL_FAILURE(run(&catches_a_failed_check), "the sky is green"); }

TEST(Story, ABodyThatReturnsIsNoFailure) { run([] { check("two is two", true); }); }

}  // namespace
}  // namespace test
