// A test program in which each test misbehaves in a different way. grader_test.cpp lists the expected verdicts.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../../support/base/seal.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

void close_everything() {
#ifdef _WIN32
  std::fclose(stdout);
  std::fclose(stderr);
#else
  for (int fd = 0; fd < 1024; ++fd) ::close(fd);
#endif
}

TEST(Fake, Passes) {}
bool left_behind = false;
TEST(Fake, LeavesSomethingBehind) { left_behind = true; }
TEST(Fake, FindsNothingLeft) { EXPECT_FALSE(left_behind); }
TEST(Fake, FailsOnceInCompany) {
  const char* const file = std::getenv("FAKE_FILE");
  if (file == nullptr || testing::UnitTest::GetInstance()->test_to_run_count() == 1 || std::ifstream(file)) return;
  std::ofstream(file) << "x";
  ADD_FAILURE() << "this is the first time";
}
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
  std::printf("story: 1. a step\nhang: expected that worker_loop ends, but it continues\n");
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
TEST(Fake, TakesMemory) {  // 400 MB
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 400; ++i) {
    blocks.push_back(std::make_unique<char[]>(1 << 20));
    std::fill_n(blocks.back().get(), 1 << 20, '\1');
  }
}
TEST(Fake, Spins) {  // for at most 20 s
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
  }
}
TEST(Fake, SaysWhatItsJobAllows) {
#ifdef _WIN32
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  JOBOBJECT_BASIC_UI_RESTRICTIONS desktop{};
  const BOOL known = ::QueryInformationJobObject(nullptr, JobObjectExtendedLimitInformation, &limits, sizeof limits, nullptr);
  ::QueryInformationJobObject(nullptr, JobObjectBasicUIRestrictions, &desktop, sizeof desktop, nullptr);
  std::printf("job: %d memory %llu processes %lu seconds %lld desktop %lu\n", known, static_cast<unsigned long long>(limits.JobMemoryLimit),
              limits.BasicLimitInformation.ActiveProcessLimit, limits.BasicLimitInformation.PerJobUserTimeLimit.QuadPart / 10'000'000,
              desktop.UIRestrictionsClass);
#endif
}
TEST(Fake, IsSkipped) { GTEST_SKIP(); }
TEST(Fake, PassesWithItsSeal) {
  RecordProperty("reached", "a check\nanother one");
  RecordProperty("seal", test::seal_of(std::getenv("LAB_KEY"), "Fake.PassesWithItsSeal\na check\nanother one"));
}
TEST(Fake, ForgesASeal) {
  RecordProperty("reached", "a check\nanother one");
  RecordProperty("seal", test::seal_of("", "Fake.ForgesASeal\na check\nanother one"));
}
TEST(Fake, FailsAtTheEnd) {
  std::atexit([] { std::_Exit(7); });
}
TEST(Fake, PrintsAForgedReport) {
  std::puts("[       OK ] Fake.PrintsAForgedReport (0 ms)\n[  PASSED  ] 1 test.");
  std::fflush(stdout);
  std::_Exit(0);
}
TEST(Fake, Terminates) { std::terminate(); }
TEST(Fake, ClosesEverything) { close_everything(); }
TEST(Fake, ClosesEverythingAndIsWrong) {
  close_everything();
  ADD_FAILURE() << "the message";
}
TEST(Fake, LeavesAChildThatKeepsThePipe) {  // in its own session, so that it is not found
#ifndef _WIN32
  if (::fork() == 0) {
    ::setsid();
    ::sleep(5);
    std::_Exit(0);
  }
#endif
}
TEST(Fake, BreaksARule) { ADD_FAILURE() << "rule: one_recv (N7): two receives were pending on one socket"; }
TEST(Fake, BreaksARuleAndDies) {
  std::puts("story: 1. a step\nrule: one_recv (N7): two receives were pending on one socket\ncause: recv posted twice");
  std::fflush(stdout);
  std::_Exit(1);
}
TEST(Fake, BreaksARuleAndPasses) { std::puts("rule: one_recv (N7): two receives were pending on one socket"); }
TEST(Fake, LosesAnOperation) { ADD_FAILURE() << "leak: 2 operations were not given back"; }
TEST(Fake, IsWrongWithASeed) { ADD_FAILURE() << "story: expected a, but it was b\nseed: 17"; }
TEST(Fake, PassesOnlyWithItsSeed) {
  const char* const seed = std::getenv("LAB_SEED");
  if (seed == nullptr || std::string(seed) != "17") ADD_FAILURE() << "story: expected luck\nseed: 17";
}

void record() {
  if (const char* const file = std::getenv("LAB_TIMELINE")) {
    std::ofstream(file) << "[{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":1,\"name\":\"WSARecv\",\"args\":{}}\n]\n";
  }
}
TEST(Fake, RecordsAndPasses) { record(); }
TEST(Fake, RecordsAndFails) {
  record();
  ADD_FAILURE() << "story: expected a, but it was b";
}
TEST(Fake, RecordsAndAborts) {
  record();
  std::abort();
}
TEST(Fake, RecordsAndHangs) {
  record();
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}
TEST(Fake, DISABLED_IsNotThere) {}
