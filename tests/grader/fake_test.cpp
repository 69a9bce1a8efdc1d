// A test program that behaves badly, each test in its own way. grader_test.cpp says which verdict each must get.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

TEST(Fake, Passes) {}
TEST(Fake, IsWrong) { ADD_FAILURE() << "story: expected the answer to be 42, but it was 41"; }
TEST(Fake, IsNotStarted) { throw std::logic_error("not started: lab03 TODO 2"); }
TEST(Fake, IsNotStartedInAThread) {
  std::printf("not started: lab03 TODO 4\n");
  std::fflush(stdout);
  std::_Exit(3);
}
TEST(Fake, Crashes) {
  volatile int* nowhere = nullptr;
  *nowhere = 1;
}
TEST(Fake, Aborts) { std::abort(); }
TEST(Fake, Hangs) {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}
TEST(Fake, SaysThatItHangs) {
  std::printf("story: 1. a step\nhang: expected that worker_loop ends, but it goes on\n");
  std::fflush(stdout);
  std::_Exit(4);
}
TEST(Fake, CallsExit) { std::exit(0); }
TEST(Fake, CallsQuickExit) { std::_Exit(0); }
TEST(Fake, PrintsWithoutEnd) {
  const std::string line = "[  PASSED  ] 1 test. " + std::string(4000, '.');
  for (;;) std::puts(line.c_str());
}
TEST(Fake, ClosesStdout) { std::fclose(stdout); }
TEST(Fake, ClosesStdoutAndIsWrong) {
  std::fclose(stdout);
  ADD_FAILURE() << "the message";
}
TEST(Fake, IsSkipped) { GTEST_SKIP(); }
TEST(Fake, FailsAtTheEnd) {
  std::atexit([] { std::_Exit(7); });
}
TEST(Fake, PrintsAForgedReport) {
  std::puts("[       OK ] Fake.PrintsAForgedReport (0 ms)\n[  PASSED  ] 1 test.");
  std::fflush(stdout);
  std::_Exit(0);
}
TEST(Fake, DISABLED_IsNotThere) {}
