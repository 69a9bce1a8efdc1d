// The tool's own tests: no misbehaviour earns a pass.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>

#include "build.h"
#include "commands.h"
#include "verdict.h"
#include "mutants.h"
#include "points.h"
#include "child.h"
#include "runner.h"
#include "../../support/base/seal.h"
#include "test_programs.h"

#ifndef _WIN32
#include "archive.h"
#include "student_build.h"
#include "results.h"
#include "submission.h"
#include "symbols.h"
#include "toolchain.h"
#endif

#ifdef _WIN32
#include "sandbox.h"

#include <windows.h>
#endif

namespace grader {
namespace {

namespace fs = std::filesystem;

TestResult result_of(const std::string& name, double limit = 20) {
  const TestProgram program{fake_program(), Platform{}};
  TestResult result;
  result.name = name;
  result.points = 10;
  run_tests({{&program, limit, &result}}, 1, [](std::size_t) {});
  return result;
}

#define EXPECT_VERDICT(name, expected) \
  EXPECT_STREQ(name_of(result_of(name).verdict), name_of(Verdict::expected)) << result_of(name).reason

TEST(Verdicts, OnlyAPassIsAPass) {
  EXPECT_VERDICT("Fake.Passes", passed);
  EXPECT_VERDICT("Fake.ClosesStdout", passed);
  EXPECT_VERDICT("Fake.IsWrong", wrong);
  EXPECT_VERDICT("Fake.ClosesStdoutAndIsWrong", wrong);
  EXPECT_VERDICT("Fake.ClosesEverything", passed);
  EXPECT_VERDICT("Fake.ClosesEverythingAndIsWrong", wrong);
  EXPECT_VERDICT("Fake.IsNotStarted", not_started);
  EXPECT_VERDICT("Fake.IsNotStartedInAThread", not_started);
}

TEST(Verdicts, AClosedStdoutHidesNoFailure) {
  EXPECT_NE(result_of("Fake.ClosesStdoutAndIsWrong").output.find("the message"), std::string::npos);
}

TEST(Verdicts, EndsOfEveryKindAreCrashes) {
  EXPECT_VERDICT("Fake.Crashes", crash);
  EXPECT_VERDICT("Fake.Aborts", crash);
  EXPECT_VERDICT("Fake.Terminates", crash);
  EXPECT_VERDICT("Fake.CallsExit", crash);
  EXPECT_VERDICT("Fake.CallsQuickExit", crash);
  EXPECT_VERDICT("Fake.PrintsAForgedReport", crash);
  EXPECT_VERDICT("Fake.FailsAtTheEnd", crash);
}

TEST(Verdicts, ABrokenRuleIsNamed) {
  for (const std::string name : {"Fake.BreaksARule", "Fake.BreaksARuleAndDies", "Fake.BreaksARuleAndPasses"}) {
    const TestResult result = result_of(name);
    EXPECT_EQ(result.verdict, Verdict::wrong) << name;
    EXPECT_EQ(result.rule, "one_recv") << name;
    EXPECT_EQ(result.reason, "two receives were pending on one socket") << name;
  }
  EXPECT_EQ(result_of("Fake.IsWrong").rule, "");
}

TEST(Verdicts, WhatIsNotGivenBackIsALeak) {
  const TestResult result = result_of("Fake.LosesAnOperation");
  EXPECT_EQ(result.verdict, Verdict::leak);
  EXPECT_EQ(result.reason, "2 operations were not given back");
}

TEST(Verdicts, TheSeedOfAFailureIsKept) {
  EXPECT_EQ(result_of("Fake.IsWrongWithASeed").seed, "17");
  EXPECT_EQ(result_of("Fake.IsWrong").seed, "");
}

TEST(Verdicts, AFailureIsRunAgainWithItsSeed) {
  const TestResult result = result_of("Fake.PassesOnlyWithItsSeed");
  EXPECT_EQ(result.verdict, Verdict::inconsistent);
  EXPECT_EQ(result.reason, "it failed 1 of 3 runs: expected luck");
  EXPECT_NE(result.output.find("story: expected luck"), std::string::npos);
  EXPECT_EQ(result.earned(), 0);
}

TEST(Verdicts, WhatDoesNotEndIsAHang) {
  EXPECT_EQ(result_of("Fake.Hangs", 0.5).verdict, Verdict::hang);
  const TestResult said = result_of("Fake.SaysThatItHangs");
  EXPECT_EQ(said.verdict, Verdict::hang);
  EXPECT_EQ(said.reason, "expected that worker_loop ends, but it continues");
}

TEST(Verdicts, EndlessOutputIsBounded) {
  const TestResult result = result_of("Fake.PrintsWithoutEnd", 2);
  EXPECT_EQ(result.verdict, Verdict::hang);
  EXPECT_LE(result.output.size(), 2 * BoundedText::kHalf + 1000);
  EXPECT_NE(result.output.find("bytes are left out here"), std::string::npos);
}

// The code under test can cause it, so it is not an error of the grader.
TEST(Verdicts, ATestThatDoesNotRunIsAFailure) {
  EXPECT_VERDICT("Fake.IsSkipped", wrong);
  EXPECT_VERDICT("Fake.HasNoSuchTest", crash);
}

TEST(Verdicts, APassNeedsEvidence) {
  const TestProgram program{fake_program(), Platform{}};
  const auto result_with = [&](const std::string& name, const std::vector<std::string>& places) {
    TestResult result;
    result.name = name;
    run_tests({{&program, 20, &result, 0, nullptr, &places}}, 1, [](std::size_t) {});
    return result;
  };
  EXPECT_TRUE(result_with("Fake.PassesWithItsSeal", {"a check", "another one"}).passed());
  const TestResult early = result_with("Fake.PassesWithItsSeal", {"a check", "one that it does not reach"});
  EXPECT_EQ(early.verdict, Verdict::wrong);
  EXPECT_EQ(early.reason, kEndedEarly + "one that it does not reach");
  for (const std::string name : {"Fake.ForgesASeal", "Fake.Passes"}) {
    EXPECT_EQ(result_with(name, {"a check"}).verdict, Verdict::wrong) << name;
    EXPECT_TRUE(result_with(name, {}).passed()) << name;
  }
}

// The test vectors of SipHash's authors: the key is 00 01 ... 0f, the text 00 01 ...; both are little-endian.
TEST(Seal, IsSipHash) {
  const std::string key = "07060504030201000f0e0d0c0b0a0908";
  EXPECT_EQ(test::seal_of(key, ""), "726fdb47dd0e0e31");
  EXPECT_EQ(test::seal_of(key, std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15)), "a129ca6149be45e5");
}

TEST(Verdicts, AProgramThatIsMissingIsAGraderError) {
  const TestProgram program{"no_such_program", Platform{}};
  TestResult result;
  result.name = "Fake.Passes";
  run_tests({{&program, 1, &result}}, 1, [](std::size_t) {});
  EXPECT_EQ(result.verdict, Verdict::grader_error);
}

TEST(Verdicts, SanitizerReportsCountOnlyWhereThereIsASanitizer) {
  const std::string report = R"({"testsuites":[{"name":"A","testsuite":[{"name":"b","status":"RUN","result":"COMPLETED"}]}]})";
  const std::map<std::string, Verdict> marks = {{"==1==ERROR: LeakSanitizer: detected memory leaks", Verdict::leak},
                                                {"==1==ERROR: AddressSanitizer: heap-use-after-free", Verdict::crash},
                                                {"a.cpp:1:2: runtime error: signed overflow", Verdict::crash},
                                                {"WARNING: ThreadSanitizer: data race (pid=1)", Verdict::race}};
  for (const auto& [output, verdict] : marks) {
    Ended ended;
    ended.how = Ended::How::exited;
    ended.output = "seed: 3\n" + output + "\nseed: 4\n";
    TestResult result;
    result.name = "A.b";
    judge(ended, report, true, result);
    EXPECT_EQ(result.verdict, verdict) << output;
    EXPECT_EQ(result.seed, "3");
    judge(ended, report, false, result);
    EXPECT_EQ(result.verdict, Verdict::passed) << output;
  }
}

TEST(Verdicts, ARaceExplainsAHang) {
  Ended ended;
  ended.how = Ended::How::timed_out;
  ended.output = "WARNING: ThreadSanitizer: data race (pid=1)\n";
  TestResult result;
  judge(ended, "", true, result);
  EXPECT_EQ(result.verdict, Verdict::race);
  judge(ended, "", false, result);
  EXPECT_EQ(result.verdict, Verdict::hang);
}

TEST(Runner, StopsAfterEnoughHangs) {
  const TestProgram program{fake_program(), Platform{}};
  std::atomic<int> hangs_left{1};
  TestResult results[3];
  std::vector<TestRun> runs;
  for (TestResult& result : results) {
    result.name = &result == results ? "Fake.Passes" : "Fake.SaysThatItHangs";
    runs.push_back({&program, 20, &result, 0, &hangs_left});
  }
  run_tests(runs, 1, [](std::size_t) {});
  EXPECT_EQ(results[0].verdict, Verdict::passed);
  EXPECT_EQ(results[1].verdict, Verdict::hang);
  EXPECT_EQ(results[2].verdict, Verdict::not_run);
}

TEST(Runner, IsNotHeldUpByAChildThatKeepsThePipe) {
  const TestResult result = result_of("Fake.LeavesAChildThatKeepsThePipe");
  EXPECT_TRUE(result.passed()) << result.reason;
  EXPECT_LT(result.seconds, 3);
}

TEST(Runner, AnotherProgramHasNoTests) {
#ifndef _WIN32
  std::string why;
  EXPECT_TRUE(list_tests({"/bin/true", Platform{}}, why).empty());
  const TestProgram program{"/bin/true", Platform{}};
  TestResult result;
  result.name = "Fake.Passes";
  run_tests({{&program, 20, &result}}, 1, [](std::size_t) {});
  EXPECT_EQ(result.verdict, Verdict::crash);
#endif
}

TEST(Runner, ListsTests) {
  std::string why;
  const std::vector<std::string> names = list_tests({fake_program(), Platform{}}, why);
  EXPECT_EQ(names.size(), 38u);
  EXPECT_EQ(names.front(), "Fake.Passes");
}

TEST(Scenario, ATestIsFoundByItsNameOrThePartAfterTheDot) {
  const std::vector<GradedTest> tests = {{"Lab01.First", 50}, {"Lab01.Second", 50}};
  EXPECT_EQ(chosen_test(tests, "Lab01.Second").name, "Lab01.Second");
  EXPECT_EQ(chosen_test(tests, "First").name, "Lab01.First");
  EXPECT_THROW(chosen_test(tests, "Secund"), UsageError);
  const PrivateFolder folder;
  const fs::path file = folder.path() / "points.json";
  std::ofstream(file) << R"({"lab01_accept": {"trace": "Lab01.First", "tests": []}, "lab02_x": {"tests": []}})";
  EXPECT_EQ(read_scenario(file, "lab01_accept"), "Lab01.First");
  EXPECT_THROW(read_scenario(file, "lab02_x"), GraderError);
  EXPECT_THROW(read_scenario(folder.path() / "none.json", "lab01_accept"), GraderError);
}

TEST(Runner, KeepsTheOrderWithManyJobs) {
  const TestProgram program{fake_program(), Platform{}};
  std::vector<TestResult> results(12);
  std::vector<TestRun> runs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].name = i % 2 == 0 ? "Fake.Passes" : "Fake.IsWrong";
    runs.push_back({&program, 20, &results[i]});
  }
  std::size_t calls = 0;
  run_tests(runs, 4, [&](std::size_t done) { EXPECT_EQ(done, ++calls); });
  EXPECT_EQ(calls, 12u);
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].passed(), i % 2 == 0);
}

TEST(ReadableOutput, LeavesOutWhatGoogleTestSays) {
  const TestResult result = result_of("Fake.SaysThatItHangs");
  EXPECT_EQ(readable_output(result.output), "1. a step\nhang: expected that worker_loop ends, but it continues\n");
  EXPECT_EQ(todo_of(result_of("Fake.IsNotStarted").output), "lab03 TODO 2");
}

TEST(ReadableOutput, OfARaceBeginsWithTheStudentsFrames) {
  const std::string output =
      "story: 1. a step\n==================\nWARNING: ThreadSanitizer: data race (pid=1)\n"
      "  Write of size 4 at 0x7b04 by thread T1:\n    #0 std::move() /usr/include/move.h:1 (test+0x1)\n"
      "    #1 lab::count() /there/lab04_worker/worker.cpp:7 (test+0x2)\n\nSUMMARY: ThreadSanitizer: data race\n"
      "==================\nWARNING: ThreadSanitizer: data race (pid=1)\nSUMMARY: ThreadSanitizer: data race\nstory: 2. the end\n";
  EXPECT_EQ(readable_output(output, "lab04_worker/worker.cpp"),
            "1. a step\n2. the end\nWARNING: ThreadSanitizer: data race (pid=1)\nin lab04_worker/worker.cpp:\n"
            "  Write of size 4 at 0x7b04 by thread T1:\n    #1 lab::count() /there/lab04_worker/worker.cpp:7\nmore of it:\n"
            "  Write of size 4 at 0x7b04 by thread T1:\n    #1 lab::count() /there/lab04_worker/worker.cpp:7\n\nSUMMARY: ThreadSanitizer: data race\n"
            "more reports, in the log: 1\n");
}

TEST(ReadableOutput, OfManySeedsIsThatOfTheLast) {
  EXPECT_EQ(readable_output("story: 1. a\nseed: 1\nstory: 2. b\nseed: 2\nstory: 3. c\n"), "1. a\nseed: 2\n3. c\n");
}

TEST(ReadableOutput, OfABadAccessLeavesOutTheMemory) {
  const std::string output =
      "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60\nREAD of size 8 at 0x60 thread T3\n"
      "    #0 0x55d in lab::f() /there/lab04_worker/worker.cpp:9\n"
      "    #1 0x55e in testing::Test::Run() /usr/src/googletest/src/gtest.cc:2\nSUMMARY: AddressSanitizer: heap-use-after-free\n"
      "Shadow bytes around the buggy address:\n  0x0c: fa fa\n==7==ABORTING\nafter it\n";
  const std::string text = readable_output(output, "lab04_worker/worker.cpp");
  EXPECT_NE(text.find("in lab04_worker/worker.cpp:\nREAD of size 8 at 0x60 thread T3\n    #0 lab::f() /there"), std::string::npos) << text;
  EXPECT_EQ(text.find("Shadow"), std::string::npos);
  EXPECT_EQ(text.find("testing::"), std::string::npos);
  EXPECT_NE(text.find("after it"), std::string::npos);
}

TEST(ReadableOutput, ShowsARepeatedLineOnce) {
  EXPECT_EQ(readable_output("story: 1. a\nx\nx\nx\ny\nx\n"), "1. a\nx\n... this line 2 times more ...\ny\nx\n");
}

TEST(ReadableOutput, IsBounded) { EXPECT_LT(readable_output(result_of("Fake.PrintsWithoutEnd", 2).output).size(), 40'000u); }

class Points : public testing::Test {
 protected:
  std::vector<GradedTest> read(const std::string& json) {
    std::ofstream(folder_.path() / "points.json") << json;
    return read_points(folder_.path() / "points.json", "lab01_accept");
  }
  PrivateFolder folder_;
};

TEST_F(Points, AreReadInOrder) {
  const auto tests = read(R"({"lab01_accept":{"tests":[{"name":"A.b","points":60},{"name":"A.a","points":40,"seconds":3}]}})");
  ASSERT_EQ(tests.size(), 2u);
  EXPECT_EQ(tests[0].name, "A.b");
  EXPECT_EQ(tests[1].seconds, 3);
}

TEST_F(Points, MustSumTo100AndBeWellFormed) {
  EXPECT_THROW(read(R"({"lab01_accept":{"tests":[{"name":"A.a","points":99}]}})"), GraderError);
  EXPECT_THROW(read(R"({"lab01_accept":{"tests":[{"name":"A.a","points":50},{"name":"A.a","points":50}]}})"), GraderError);
  EXPECT_THROW(read(R"({"lab01_accept":{"tests":[{"name":"A.a","points":110},{"name":"A.b","points":-10}]}})"), GraderError);
  EXPECT_THROW(read(R"({"lab02":{"tests":[]}})"), GraderError);
  EXPECT_THROW(read("no json"), GraderError);
  EXPECT_THROW(read_points(folder_.path() / "none.json", "lab01_accept"), GraderError);
}

TEST(Names, TheNearestIsFirst) {
  const std::vector<GradedTest> tests = {{"Lab01.AFullTableRefuses", 50}, {"Lab01.TheLoopEnds", 50}};
  EXPECT_EQ(nearest(tests, "TheLopEnds").front(), "Lab01.TheLoopEnds");
  EXPECT_EQ(nearest(tests, "Lab01.fulltable").front(), "Lab01.AFullTableRefuses");
}

TEST_F(Points, AreComparedWithTheTests) {
  const std::vector<GradedTest> manifest = {{"A.a", 50}, {"A.b", 50}};
  EXPECT_EQ(compare_points(manifest, {"A.b", "A.a"}), "");
  EXPECT_NE(compare_points(manifest, {"A.a"}).find("A.b"), std::string::npos);
  EXPECT_NE(compare_points(manifest, {"A.a", "A.b", "A.c"}).find("A.c"), std::string::npos);
}

class MutantFolder : public testing::Test {
 protected:
  Mutants read(const std::string& wrong) {
    std::ofstream(folder_.path() / "mutants.json") << R"({"wrong":[)" + wrong + R"(],"right":[{"name":"r","idea":"another way"}]})";
    return read_mutants(folder_.path());
  }
  std::string complaints(const std::string& wrong) { return check_mutants(read(wrong), folder_.path(), {{"A.a", 100}}); }
  void file(const std::string& name) { std::ofstream(folder_.path() / name) << "int x;"; }
  PrivateFolder folder_;
};

constexpr const char* kWrong = R"({"name":"w","bug":"b","verdict":"not started","platform":"tsan","tests":["A.a"],"rule":"one_recv"})";

TEST_F(MutantFolder, IsReadAndChecked) {
  const Mutants mutants = read(kWrong);
  ASSERT_EQ(mutants.wrong.size(), 1u);
  EXPECT_EQ(mutants.wrong[0].verdict, Verdict::not_started);
  EXPECT_EQ(mutants.wrong[0].rule, "one_recv");
  EXPECT_EQ(mutants.right.at(0).idea, "another way");
  EXPECT_THROW(read(R"({"name":"w","bug":"b","verdict":"bad","platform":"linux","tests":["A.a"]})"), GraderError);
  EXPECT_THROW(read("no json"), GraderError);

  EXPECT_NE(complaints(kWrong).find("w: is in mutants.json, but there is no file"), std::string::npos);
  file("w.cpp");
  file("r.cpp");
  EXPECT_EQ(complaints(kWrong), "1 wrong programs; there must be 10 at least\n1 right programs; there must be 3 at least\n");
  file("z.cpp");
  EXPECT_NE(complaints(kWrong).find("z.cpp: has no entry"), std::string::npos);
  EXPECT_NE(complaints(R"({"name":"w","bug":"b","verdict":"wrong","platform":"linux","tests":["A.b"]})").find("no graded test A.b"), std::string::npos);
}

TEST(Mutants, AreKilledByEveryNamedTestOnEveryRun) {
  const auto one = [](Verdict verdict, const std::string& rule = "") {
    TestResult result;
    result.verdict = verdict;
    result.rule = rule;
    return result;
  };
  WrongProgram program;
  program.verdict = Verdict::wrong;
  const auto how = [&](const std::vector<std::vector<TestResult>>& rounds) { return judge_wrong(program, rounds).how; };
  const TestResult wrong = one(Verdict::wrong), passed = one(Verdict::passed), hang = one(Verdict::hang), not_run;
  EXPECT_EQ(how({{wrong, wrong}, {wrong, wrong}}), Kill::How::killed);
  EXPECT_EQ(how({{wrong, wrong}, {wrong, passed}}), Kill::How::survives);
  EXPECT_EQ(how({{hang, wrong}}), Kill::How::another_reason);
  EXPECT_EQ(how({{not_run, wrong}}), Kill::How::not_run);
  EXPECT_EQ(how({}), Kill::How::not_run);
  EXPECT_EQ(judge_wrong(program, {{wrong}, {passed}, {not_run}}).killed, 1u);
  program.rule = "one_recv";
  EXPECT_EQ(how({{wrong, one(Verdict::wrong, "one_recv")}}), Kill::How::killed);
  EXPECT_EQ(how({{wrong, one(Verdict::wrong, "another")}}), Kill::How::another_reason);
}

TEST(Soak, TheUpperBoundIsThatOfClopperAndPearson) {
  EXPECT_NEAR(upper_bound(0, 1000), 3.0 / 1000, 1e-5);  // the rule of three
  EXPECT_NEAR(upper_bound(2, 100), 0.0616, 1e-4);
  EXPECT_EQ(upper_bound(5, 5), 1);
}

TEST(Build, ShowsTheStudentsErrorFirst) {
  Workspace workspace;
  workspace.root = "/there";
  workspace.labs = {{1, "lab01_accept", "accept"}};
  const std::string output =
      "[1/3] Building a\nFAILED: a\nc++ -c a\n/there/solutions/lab01_accept/accept.cpp:1:1: error: theirs\n"
      "[2/3] Building b\nFAILED: b\n/there/lab01_accept/accept.cpp:7:3: error: yours\n    7 | x\n[3/3] Linking\n";
  EXPECT_EQ(first_error(output, workspace), "lab01_accept/accept.cpp:7:3: error: yours\n    7 | x\n");
  const std::string in_a_template =
      "[1/3] Building a\n/there/lab01_accept/accept.cpp:9:1:   required from here\n/usr/include/vector:1:1: error: no\n    1 | v\n"
      "/there/lab01_accept/accept.cpp:8:1: warning: unused\n";
  EXPECT_EQ(first_error(in_a_template, workspace),
            "lab01_accept/accept.cpp:9:1:   required from here\n/usr/include/vector:1:1: error: no\n    1 | v\n");
}

#ifndef _WIN32
TEST(Process, KillsWhatTheProgramLeftBehind) {
  Command command;
  command.args = {"sh", "-c", "sleep 30 & echo started"};
  const Ended ended = run(command);
  EXPECT_TRUE(ended.ok());
  EXPECT_EQ(ended.output, "started\n");
  EXPECT_LT(ended.seconds, 10);
}
#endif

#ifdef _WIN32
// Wine's jobs end with all of their processes, but have no limits. So on Wine the test only checks that all limits are
// set without an error, and that the right program passes.
TEST(Job, HoldsItsLimits) {
  const bool wine = ::GetProcAddress(::GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr;
  const Sandbox sandbox;
  SandboxSpec spec;
  spec.limits.memory = 200 << 20;
  spec.limits.processes = 3;
  spec.limits.seconds = 60;
  const auto run_fake = [&](const std::string& test) {
    Command command;
    command.args = {fake_program().string(), "--gtest_filter=Fake." + test};
    return run(sandbox.wrap(command, spec));
  };
  EXPECT_TRUE(run_fake("Passes").ok());
  const Ended allowed = run_fake("SaysWhatItsJobAllows");
  EXPECT_TRUE(allowed.ok()) << allowed.output;
  EXPECT_EQ(run_fake("TakesMemory").ok(), wine);
  const bool reported = allowed.output.find("job: 1 memory 209715200 processes 3 seconds 60 desktop 255") != std::string::npos;
  EXPECT_TRUE(reported || wine) << allowed.output;
  spec.limits.seconds = 1;
  EXPECT_FALSE(run_fake("Spins").ok());
}
#endif

#ifndef _WIN32
TEST(Grade, AFileThatCouldForgeAResultIsRefused) {
  const auto refused = [](const std::string& nm) { return check_symbols(nm).refused; };
  EXPECT_EQ(refused("_ZN3lab11accept_loopEv T 0 10\n_ZNSt6vectorIiE4pushEv W 0 10\n_ZN3lab1fEv t 0 4\nmemcpy U\nhelper t 0 1\n"), "");
  for (const std::string nm : {"main T 0 10", "strcmp W 0 10", "_ZN7testing4InitEv T 0 1", "_Znwm T 0 1", "_ZN3lab1fEv i 0 1", "fopen U", "_exit U", "kill U", "_ZNSt13runtime_errorC2ERKSs T 0 9",
                               "_ZNSt13basic_filebufIcSt11char_traitsIcEE4openEPKcSt13_Ios_Openmode U", "_ZN7testing8UnitTest3RunEv U", "_ZNSt12__basic_fileIcE4openEPKcSt13_Ios_Openmodei U", "__open U", "__open_2 U",
                               "_IO_fopen U", "wordexp U", "execveat U", "__lsan_disable U", "__sanitizer_set_report_path U", "AnnotateIgnoreReadsBegin U",
                               "__tsan_acquire U", "_ZN11win32_linux4real7WSARecvEmP6WSABUFjPjS2_P10OVERLAPPEDDn U", "_ZN11win32_linux6Socket6acceptEv U", "_ZN4bots3runEv U", "__asan_default_options T 0 1"}) {
    EXPECT_NE(refused(nm + "\n"), "") << nm;
  }
  for (const std::string name : {"memcpy", "__memcpy_chk", "__isoc99_sscanf", "__printf_chk", "__tsan_read8", "__asan_report_load8", "__ubsan_handle_add_overflow_abort",
                                 "__cxa_throw", "__udivti3", "pthread_create", "syscall", "__once_proxy", "strtol", "_ZSt4cout", "_Z6socketN11win32_linux6FamilyEii", "_ZN11win32_linux4bindEmPK8sockaddri", "DW.ref.__gxx_personality_v0"}) {
    EXPECT_EQ(refused(name + " U\n"), "") << name;
  }
  EXPECT_EQ(check_symbols("exit U\n").notes.size(), 1u);
  EXPECT_NE(sanitizer_note("[[gnu::no_sanitize(\"thread\")]] void f();"), "");
  EXPECT_NE(sanitizer_note("#ifdef __SANITIZE_THREAD__"), "");
  EXPECT_EQ(sanitizer_note("int x;"), "");
  EXPECT_EQ(refused("_ZSt4swapIiEvRT_S1_ W 0 9\n_ZnwmPv W 0 9\n"), "");
  EXPECT_EQ(check_assembler("\t.text\n\t.type\tf, @function\n\t.section\t.rodata\n\t.type\tx, @object\n"), "");
  EXPECT_NE(check_assembler("\t.text\n#APP\n\tsyscall\n"), "");
  EXPECT_NE(check_assembler("\t.section\t.text.x,\"ax\",@progbits\nx:\t.long\t5\n"), "");
  EXPECT_EQ(check_assembler("\t.section\t.text.\xed\x95\x9c,\"axG\",@progbits,f,comdat\n\t.type\tan_object, @function\n\t.p2align 4,,10\n\tjmp .L2 # ; a remark\n"
                            "\t.section\t.rodata.str1.1,\"aMS\",@progbits,1\n.LC0:\n\t.string\t\"int 3; syscall\"\n"), "");
  for (const std::string name : {".preinit_array", ".ctors", ".init", ".textual", ".interp", "mine"}) {
    EXPECT_NE(check_assembler("\t.section\t" + name + ",\"aw\"\n"), "") << name;
  }
  EXPECT_EQ(check_assembler("\t.section\t.init_array,\"aw\"\n"), "");
  // What a label or a section name can inject.
  for (const std::string text : {"\tmovl\ty\n\tSYSCALL\n", "\tmovl\ty; ret\n", "\t.incbin\t\"x\"\n", "f:\tint\t$0x80\n", "\t.text\n\t.byte\t15,5\n", "\tmovl syscall/**/\n",
                                 "\t.section\ta@b,\"ax\",@progbits#,\"aw\"\n", "\t.section\t.text.a,\"ax\",@progbits\n\t.data\n\t.section\t.text.a\n\t.quad\t1\n"}) {
    EXPECT_NE(check_assembler(text), "") << text;
  }
}

TEST(Grade, AnUnwritableFileIsReportedAtOnce) {
  const PrivateFolder folder;
  EXPECT_NO_THROW(need_writable(folder.path() / "page.html"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_THROW(need_writable(folder.path() / "none/page.html"), UsageError);
  EXPECT_THROW(need_writable(folder.path()), UsageError);
}

TEST(Grade, OnlyTheLabsOwnFunctionsAreExported) {
  const std::string nm = "_ZN3lab1fEv T 0 4\n_ZN3lab6helperEv T 8 4\n_ZSt16__ostream_insert W 0 9\n_ZTIN3lab1XE V 0 8\n_ZTSSt9exception V 0 8\n"
                         "_ZTVSt9exception V 0 8\n_ZZN3lab1gEvE5count u 0 4\nlocal t 0 1\nmemcpy U\n__odr_asan.x B 0 1\n";
  EXPECT_EQ(symbols_of(nm, kStrong), (std::vector<std::string>{"_ZN3lab1fEv", "_ZN3lab6helperEv"}));
  EXPECT_EQ(symbols_of(nm, kUnique), std::vector<std::string>{"_ZZN3lab1gEvE5count"});
  EXPECT_EQ(shared_data(nm), (std::vector<std::string>{"_ZTIN3lab1XE", "_ZTSSt9exception"}));
}

TEST(Verdicts, ASanitizerMayKnowMoreOfACrash) {
  const auto result = [](Verdict verdict, const std::string& platform) {
    TestResult test;
    test.verdict = verdict;
    test.platform = platform;
    test.seconds = 1;
    return test;
  };
  const auto merged = [&](TestResult test, const TestResult& again) {
    merge_platform(test, again, "linux");
    return test;
  };
  EXPECT_TRUE(worth_another_platform(result(Verdict::passed, "linux"), "linux"));
  EXPECT_TRUE(worth_another_platform(result(Verdict::crash, "linux"), "linux"));
  EXPECT_FALSE(worth_another_platform(result(Verdict::wrong, "linux"), "linux"));
  EXPECT_FALSE(worth_another_platform(result(Verdict::crash, "asan"), "linux"));
  EXPECT_EQ(merged(result(Verdict::passed, "linux"), result(Verdict::race, "tsan")).verdict, Verdict::race);
  EXPECT_EQ(merged(result(Verdict::crash, "linux"), result(Verdict::passed, "asan")).verdict, Verdict::crash);
  EXPECT_EQ(merged(result(Verdict::inconsistent, "linux"), result(Verdict::race, "tsan")).platform, "tsan");
  EXPECT_EQ(merged(result(Verdict::passed, "linux"), result(Verdict::passed, "asan")).seconds, 2);
}

TEST(Grade, NamesInAnArchiveMayNotLeaveIt) {
  EXPECT_EQ(refuse_names("a/\na/accept.cpp\na..b/c\n"), "");
  for (const std::string names : {"/a", "../a", "a/../b", "a/..", "..\\a", "C:/a", ""}) EXPECT_NE(refuse_names(names), "") << names;
}

TEST(Grade, ItsReportsEscapeUntrustedText) {
  ClassReport report;
  report.labs = {"lab01_accept"};
  Grade grade;
  grade.name = "=<b>\n\"\xff\033";
  grade.notes = {"@note, with a comma"};
  LabResult lab;
  lab.number = 1;
  lab.name = "lab01_accept";
  lab.tests.resize(1);
  lab.tests[0].name = "Lab01.A";
  lab.tests[0].points = 100;
  lab.tests[0].verdict = Verdict::wrong;
  lab.tests[0].reason = "]]>\001";
  lab.tests[0].output = std::string(100'000, '\xfe');
  grade.labs = {lab};
  report.grades = {grade};
  EXPECT_EQ(to_csv(report), "name,lab01_accept,total,notes\n\"'=<b>?\"\"\xff?\",0,0,\"'@note, with a comma; \"\n");
  EXPECT_NE(to_junit(report).find("=&lt;b&gt;&#10;&quot;\\xff\\u{1b}"), std::string::npos);
  report.grades[0].name = "김철수";
  EXPECT_NE(to_junit(report).find("\"김철수.lab01_accept\""), std::string::npos);
  EXPECT_EQ(plain_line("김철수", 4), "김철...");
  EXPECT_EQ(plain_line(std::string(50, '\x80'), 4).size(), 10u);
  const std::optional<Grade> again = grade_from_json(to_json(grade));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->labs.at(0).tests.at(0).verdict, Verdict::wrong);
  EXPECT_EQ(again->labs.at(0).possible(), 100);
  EXPECT_LT(to_json(grade).size(), 100'000u);
  EXPECT_FALSE(grade_from_json("{}").has_value());
}

TEST(Grade, ACommandIsSplitAsAShellDoes) {
  EXPECT_EQ(split_command("c++ -DX=\"a b\" 'c d'  e\\ f"), (std::vector<std::string>{"c++", "-DX=a b", "c d", "e f"}));
  EXPECT_EQ(split_command(R"(-DA=\"a\" "-DB=\"b c\"" "-DC=\d\\e\$f" '-DD="\g' -DE=)"),
            (std::vector<std::string>{"-DA=\"a\"", "-DB=\"b c\"", "-DC=\\d\\e$f", "-DD=\"\\g", "-DE="}));
  EXPECT_EQ(split_command("a\tb"), (std::vector<std::string>{"a", "b"}));
}

TEST(Grade, ACommandBeginsAtTheCompiler) {
  using Words = std::vector<std::string>;
  const std::string commands =
      "/usr/bin/ccache /usr/bin/c++ -O2 -MD -MT a.o -MF a.o.d -o a.o -c /p/a.cpp\n"
      "env A=1 \"B=b c\" ccache \"/t x/g++\" -m64 -DX=\"a b\" -MD -MT b.o -MF b.o.d -o b.o -c /p/b.cpp\n"
      ": && /usr/bin/cmake -E rm -f lib.a && /usr/bin/ar qc lib.a  a.o && :\n"
      ": && env B=b \"/t x/g++\" -fuse-ld=lld b.o -o bin/b  lib.a && cd /p && touch bin/b && :\n"
      ": && /usr/bin/c++ a.o -Wl,--dependency-file=a.d -o bin/a  lib.a && :\n"
      ": && /usr/bin/c++ a.o -Xlinker --dependency-file=a.d -o bin/aa  lib.a && :\n";
  const Words compile = compiler_command(commands, "b.o", "/t x/g++");
  EXPECT_EQ(compiler_command(commands, "a.o", "/usr/bin/c++"), (Words{"/usr/bin/c++", "-O2", "-o", "a.o", "-c", "/p/a.cpp"}));
  EXPECT_EQ(compile, (Words{"/t x/g++", "-m64", "-DX=a b", "-o", "b.o", "-c", "/p/b.cpp"}));
  EXPECT_EQ(without_files(compile), (Words{"/t x/g++", "-m64", "-DX=a b"}));
  EXPECT_EQ(compiler_command(commands, "bin/b", "/t x/g++"), (Words{"/t x/g++", "-fuse-ld=lld", "b.o", "-o", "bin/b", "lib.a"}));
  for (const std::string output : {"bin/a", "bin/aa"}) EXPECT_EQ(compiler_command(commands, output, "/usr/bin/c++"), (Words{"/usr/bin/c++", "a.o", "-o", output, "lib.a"}));
  EXPECT_THROW(compiler_command(commands, "a.o", "/usr/bin/g++"), GraderError);
  EXPECT_THROW(compiler_command(commands, "c.o", "/usr/bin/c++"), GraderError);
  EXPECT_EQ(values_of({"c++", "-Ia b", "-isystem", "c", "-isystemd", "-I", "e", "-idirafter"}, {"-I", "-isystem"}), (std::vector<fs::path>{"a b", "c", "d", "e"}));
}

TEST(Grade, ACompilerOutsideOfTheSystemShowsItsFoldersAndNoMore) {
  const PrivateFolder folder;
  const auto program = [&](const std::string& name) {
    const fs::path file = folder.path() / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\necho \"libraries: =" << folder.path().string() << "/lib/:/usr/lib/\"\n";
    fs::permissions(file, fs::perms::all);
    return file;
  };
  const auto folders = [&](const fs::path& compiler, const std::vector<fs::path>& hidden) {
    std::ofstream(folder.path() / "toolchain") << compiler.string() << "\n/usr/include\n" << folder.path().string() << "/include\n";
    return read_toolchain(folder.path(), hidden).folders;
  };
  const fs::path real = program("real x/g++");
  for (const std::string name : {"lib", "include", "linked", "source/tools"}) fs::create_directories(folder.path() / name);
  fs::create_symlink("../real x/g++", folder.path() / "linked/g++");
  const std::vector<fs::path> both = {folder.path() / "include", folder.path() / "lib"};
  EXPECT_EQ(folders("/usr/bin/c++", {}), std::vector<fs::path>{});
  EXPECT_EQ(folders(folder.path() / "linked/g++", {}),
            (std::vector<fs::path>{both[0], both[1], folder.path() / "linked", folder.path() / "real x"}));
  EXPECT_EQ(folders(program("source/g++"), {folder.path() / "source"}), (std::vector<fs::path>{both[0], both[1], folder.path() / "source/g++"}));
  EXPECT_EQ(folders(real, {folder.path() / "real x/inner", folder.path() / "lib"}), (std::vector<fs::path>{both[0], real}));
  fs::remove(folder.path() / "toolchain");
  EXPECT_THROW(read_toolchain(folder.path(), {}), GraderError);
}

TEST(Grade, OnlyGivenHeadersAreIncluded) {
  const std::vector<fs::path> allowed = {"/a b/lab01_accept/accept.h", "/tmp/x/accept.cpp"};
  EXPECT_EQ(check_included("own.s: /tmp/x/accept.cpp /usr/include/stdc-predef.h \\\n /a\\ b/lab01_accept/../lab01_accept/accept.h\n", allowed), "");
  EXPECT_NE(check_included("own.s: /tmp/x/accept.cpp \\\n /a\\ b/lab01_accept/../solutions/lab01_accept/accept.cpp\n", allowed), "");
  EXPECT_EQ(check_included("own.s: /b'c/$$d\\#/x.h\n\n /b'c/$$d\\#/y.h\n", {"/b'c/$d#/x.h", "/b'c/$d#/y.h"}), "");
  const PrivateFolder compilers;  // with everything below it
  EXPECT_EQ(check_included("own.s: " + compilers.path().string() + "/c++/vector\n", {compilers.path()}), "");
  EXPECT_NE(check_included("own.s: " + compilers.path().string() + "/../accept.cpp\n", {compilers.path()}), "");
}

TEST(Grade, AllThatMsvcReadIsAGivenHeaderOrTheSystems) {
  const std::vector<std::filesystem::path> allowed = {"C:/lab/lab01_accept/accept.h"};
  const auto said = [&](const std::string& file) {
    return check_included_json(R"({"Version": "1.2", "Data": {"Source": "c:\\s\\accept.cpp", "Includes": [)"
                               R"("C:\\Program Files\\Microsoft Visual Studio\\2022\\VC\\include\\vector", )"
                               R"("c:\\program files (x86)\\windows kits\\10\\include\\um\\winsock2.h", ")" + file + R"("]}})", allowed);
  };
  EXPECT_EQ(said(R"(C:\\lab\\lab01_accept\\accept.h)"), "");
  EXPECT_EQ(said(R"(C:\\lab\\lab01_accept\\..\\lab01_accept\\accept.h)"), "");
  EXPECT_NE(said(R"(C:\\lab\\solutions\\lab01_accept\\accept.cpp)").find("accept.cpp"), std::string::npos);
  EXPECT_NE(check_included_json("", allowed), "");
  EXPECT_NE(check_included_json("[]", allowed), "");
}

TEST(Grade, AClassAndASubmissionAreToldApart) {
  const std::vector<Lab> labs = {{1, "lab01_accept", "accept"}, {2, "lab02_iocp_register", "iocp_register"}};
  const PrivateFolder folder;
  const auto file = [&](const std::string& name) {
    fs::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << "int x;";
  };
  file("class/ann/accept.cpp");
  file("class/bob/lab02_iocp_register/iocp_register.cpp");
  file("class/eve/nothing.txt");
  file("class/notes.txt");
  const auto found = [&](const std::string& name) { return find_submissions({(folder.path() / name).string()}, labs); };
  ASSERT_EQ(found("class").size(), 3u);
  EXPECT_EQ(found("class")[1].name, "bob");
  EXPECT_EQ(found("class/ann").size(), 1u);
  EXPECT_EQ(found("class/bob/").at(0).name, "bob");
  EXPECT_THROW(found("none"), UsageError);
  EXPECT_THROW(found("class/eve"), UsageError);
  for (const std::string name : {"bob.tar.gz", "bob.ZIP", "may.Zip", "may.rar"}) file("class/" + name);
  std::vector<std::string> left_out, names;
  for (const Submission& one : find_submissions({(folder.path() / "class").string()}, labs, &left_out)) names.push_back(one.name);
  EXPECT_EQ(names, (std::vector<std::string>{"ann", "bob", "bob.ZIP", "bob.tar.gz", "eve", "may"}));
  EXPECT_EQ(left_out, (std::vector<std::string>{"may.rar", "notes.txt"}));
}
#endif

TEST(Process, SaysWhenAProgramCannotBeStarted) {
  Command command;
  command.args = {"no_such_program_anywhere"};
  const Ended ended = run(command);
  EXPECT_EQ(ended.how, Ended::How::could_not_start);
  EXPECT_NE(ended.error.find("no_such_program_anywhere"), std::string::npos);
}

}  // namespace
}  // namespace grader
