// How a test ends: whatever leaves its body, or a thread, or is caught by the code under test, is a failure.
#include <gtest/gtest-spi.h>

#include <exception>
#include <stdexcept>
#include <system_error>

#include "not_started.h"
#include "story.h"
#include "win32.h"

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

std::string reason(std::uint64_t actual, std::size_t size, std::uint64_t expected) { return likely_reason({actual, size}, {expected, size}); }

TEST(Story, AWrongNumberTellsItsLikelyReason) {
  EXPECT_NE(reason(0x3930, 2, 12345).find("htons"), std::string::npos);
  EXPECT_NE(reason(0x0100, 4, 1).find("htons"), std::string::npos);
  EXPECT_NE(reason(0x01000000, 4, 1).find("htons"), std::string::npos);
  EXPECT_NE(reason(0xFEFEFEFEFEFEFEFE, 8, 0).find("never set"), std::string::npos);
  EXPECT_NE(reason(0xFEFEFEFE, 4, 0).find("never set"), std::string::npos);
  EXPECT_NE(reason(3461361991548340784, 8, 3).find("never set"), std::string::npos);
  EXPECT_NE(reason(0xFFFFFFFFFFFFFFFF, 8, 0).find("-1 as an unsigned number"), std::string::npos);
  EXPECT_NE(reason(0xFFFFFFFE, 4, 0).find("-2 as an unsigned number"), std::string::npos);
  EXPECT_EQ(reason(WSAENOTSOCK, 4, WSAECONNRESET), " (WSAENOTSOCK, not WSAECONNRESET)");
  for (const auto& [actual, expected] : {std::pair{1u, 2u}, {0u, 1u}, {4096u, 15u}, {100u, 10000u}, {255u, 256u}, {0u, 0u}}) {
    EXPECT_EQ(reason(actual, 4, expected), "") << actual << " for " << expected;
  }
  EXPECT_EQ(reason(0xFE, 1, 0), "");
}

TEST(Story, OnlyAWaitThatRanOutHasACause) {
  EXPECT_FALSE(last_wait_timed_out());
  EXPECT_TRUE(eventually([] { return true; }));
  EXPECT_FALSE(last_wait_timed_out());
  EXPECT_FALSE(eventually([] { return false; }, std::chrono::milliseconds(1)));
  EXPECT_TRUE(last_wait_timed_out());
  STEP("the next step");
  EXPECT_FALSE(last_wait_timed_out());
}

void throws_a_code() { throw std::system_error(WSAEADDRINUSE, std::system_category(), "bind"); }

TEST(Story, CodesOfWinsockHaveNames) { EXPECT_NONFATAL_FAILURE(run(&throws_a_code), "bind: WSAEADDRINUSE (10048)"); }

TEST(Story, ABodyThatReturnsIsNoFailure) { run([] { check("two is two", true); }); }

}  // namespace
}  // namespace test
