// Tests of the record of proofs, of its inputs, and of tests that run together in one process.
#include <gtest/gtest.h>

#include <algorithm>

#include "child.h"
#include "verdict.h"
#include "mutant_matrix.h"
#include "progress.h"
#include "proof_inputs.h"
#include "proof_record.h"
#include "runner.h"
#include "test_programs.h"

namespace grader {
namespace {

const std::string kInputs = "0123456789abcdef", kOthers = "fedcba9876543210";

Proof killed(unsigned rounds) {
  Proof proof;
  proof.inputs = kInputs;
  proof.rounds = rounds;
  proof.others = "2, - 1";
  return proof;
}

ProofRecord small_record() {
  ProofRecord record;
  record.set("lab01_accept/wrong_one", killed(20));
  Proof right;
  right.inputs = kOthers;
  right.rounds = 1;
  right.scores = {{"linux", 100}, {"asan", 100}};
  record.set("lab02_iocp_register/right_one", right);
  return record;
}

TEST(Record, IsReadAsItWasWritten) {
  const ProofRecord record = ProofRecord::parse(small_record().text());
  EXPECT_TRUE(record.complaints().empty());
  ASSERT_NE(record.find("lab01_accept/wrong_one"), nullptr);
  EXPECT_EQ(*record.find("lab01_accept/wrong_one"), killed(20));
  ASSERT_NE(record.find("lab02_iocp_register/right_one"), nullptr);
  EXPECT_EQ(record.find("lab02_iocp_register/right_one")->scores.at(1), (std::pair<std::string, int>("asan", 100)));
  EXPECT_EQ(record.text(), small_record().text());
}

TEST(Record, CoversTheSameInputsInEnoughRounds) {
  const ProofRecord record = small_record();
  EXPECT_TRUE(record.covers("lab01_accept/wrong_one", kInputs, 20));
  EXPECT_FALSE(record.covers("lab01_accept/wrong_one", kInputs, 21));
  EXPECT_FALSE(record.covers("lab01_accept/wrong_one", kOthers, 1));
  EXPECT_FALSE(record.covers("lab01_accept/another", kInputs, 1));
  EXPECT_TRUE(record.covers("lab02_iocp_register/right_one", kOthers, 20)) << "a right program is run once";
}

// Every manual edit of a line is detected, and the program is named.
TEST(Record, AChangedLineIsAComplaint) {
  const std::string text = small_record().text();
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"killed 20/20", "killed 30/30"}, {"killed 20/20", "killed 19/20"}, {"others 2", "others 3"}, {kInputs, kOthers}, {kInputs, "x"},
           {"killed 20/20, others 2, - 1", "proved"}}) {
    std::string forged = text;
    forged.replace(forged.find(from), from.size(), to);
    const ProofRecord record = ProofRecord::parse(forged);
    ASSERT_EQ(record.complaints().size(), 1u) << forged;
    EXPECT_EQ(record.complaints()[0].first, "lab01_accept/wrong_one");
    EXPECT_EQ(record.find("lab01_accept/wrong_one"), nullptr);
    EXPECT_NE(record.find("lab02_iocp_register/right_one"), nullptr) << "the other line holds";
  }
  const std::string line = text.substr(text.find("lab01_accept/"));
  const ProofRecord twice = ProofRecord::parse(text + line.substr(0, line.find('\n') + 1));
  ASSERT_EQ(twice.complaints().size(), 1u);
  EXPECT_EQ(twice.find("lab01_accept/wrong_one"), nullptr);
  std::string renamed = text;
  renamed.replace(renamed.find("wrong_one"), 9, "wrong_two");
  EXPECT_EQ(ProofRecord::parse(renamed).complaints().size(), 1u) << "a proof belongs to its program";
}

TEST(Record, ForgetsProgramsThatAreNotThere) {
  ProofRecord record = small_record();
  record.keep_only("lab01_accept", {});
  EXPECT_EQ(record.find("lab01_accept/wrong_one"), nullptr);
  EXPECT_NE(record.find("lab02_iocp_register/right_one"), nullptr);
}

TEST(Record, ATenthIsProvedAgainAndTheSeedChoosesIt) {
  std::vector<std::string> programs;
  for (int i = 0; i < 41; ++i) programs.push_back(std::to_string(i));
  std::mt19937_64 seed_7(7), seed_7_again(7), seed_8(8);
  const std::vector<std::string> chosen = some_to_prove_again(programs, seed_7);
  EXPECT_EQ(chosen.size(), 5u);
  EXPECT_EQ(chosen, some_to_prove_again(programs, seed_7_again));
  EXPECT_NE(chosen, some_to_prove_again(programs, seed_8));
  EXPECT_EQ(some_to_prove_again({"one"}, seed_7).size(), 1u);
  EXPECT_TRUE(some_to_prove_again({}, seed_7).empty());
}

TEST(Record, ACommandIsTheSameOnEveryMachine) {
  EXPECT_EQ(portable_command("/usr/bin/ccache /usr/bin/g++ -I/home/a/lab/x -O1 -o x.o -c /home/a/lab/build/g.cpp", "/usr/bin/g++", "/home/a/lab",
                             "/home/a/lab/build"),
            "/usr/bin/g++ -IROOT/x -O1 -o x.o -c BUILD/g.cpp");
  EXPECT_EQ(portable_command("/usr/bin/g++ -IROOT/x", "/usr/bin/g++", "/home/b", "/home/c"), "/usr/bin/g++ -IROOT/x");
}

TEST(Matrix, SaysWhatTheRecordSays) {
  MatrixLab lab{"lab01_accept", {{"Lab01.A", 60}, {"Lab01.B", 40}}, {}};
  WrongProgram wrong;
  wrong.name = "wrong_one";
  wrong.bug = "a bug";
  wrong.platform = "linux";
  wrong.tests = {"Lab01.A"};
  lab.mutants.wrong = {wrong};
  wrong.name = "wrong_two";
  lab.mutants.wrong.push_back(wrong);
  const std::string text = matrix_of({lab}, {"linux", "asan"}, small_record());
  EXPECT_NE(text.find("| wrong_one | a bug | wrong | linux |  | A | 2, - 1 | 20 of 20 |"), std::string::npos) << text;
  EXPECT_NE(text.find("| wrong_two | a bug | wrong | linux |  | A | ? | **not proved** |"), std::string::npos) << text;
  EXPECT_NE(text.find("| A | 2 |\n| B | 0 |"), std::string::npos) << text;
}

// ---- tests that run together --------------------------------------------------------------------------------------

std::vector<TestResult> together(const std::vector<std::string>& names, const std::string& file = "") {
  TestProgram program{fake_program(), Platform{}};
  program.platform.env = {{"FAKE_FILE", file}};
  std::vector<TestResult> results(names.size());
  std::vector<TestRun> runs;
  for (std::size_t i = 0; i < names.size(); ++i) {
    results[i].name = names[i];
    runs.push_back({&program, 20, &results[i], 0, nullptr});
  }
  Progress progress;
  run_together(runs, 2, progress);
  progress.clear();
  return results;
}

TEST(Together, EachTestHasItsOwnVerdict) {
  const std::vector<TestResult> good = together({"Fake.Passes", "Fake.TakesMemory"});
  EXPECT_TRUE(good[0].passed());
  EXPECT_TRUE(good[1].passed());
  const std::vector<TestResult> mixed = together({"Fake.Passes", "Fake.Crashes", "Fake.IsWrong", "Fake.BreaksARuleAndPasses"});
  EXPECT_EQ(mixed[0].verdict, Verdict::passed);
  EXPECT_EQ(mixed[1].verdict, Verdict::crash);
  EXPECT_EQ(mixed[2].verdict, Verdict::wrong);
  EXPECT_EQ(mixed[3].verdict, Verdict::wrong);
}

TEST(Together, NoWayToEndTheProcessIsAPass) {
  for (const std::string name : {"Fake.CallsExit", "Fake.CallsQuickExit", "Fake.Hangs", "Fake.IsSkipped", "Fake.LosesAnOperation"}) {
    const std::vector<TestResult> results = together({name == "Fake.Hangs" ? "Fake.SaysThatItHangs" : name, "Fake.Passes"});
    EXPECT_FALSE(results[0].passed()) << name;
    EXPECT_TRUE(results[1].passed()) << name << " ended the others";
  }
}

// Grading runs each test in its own process, so that result counts. But a test that fails once and passes later is an
// error.
TEST(Together, ATestThatFailsOnlyAfterOthersPasses) {
  const std::vector<TestResult> results = together({"Fake.LeavesSomethingBehind", "Fake.FindsNothingLeft"});
  EXPECT_TRUE(results[0].passed()) << results[0].reason;
  EXPECT_TRUE(results[1].passed()) << results[1].reason;
}

TEST(Together, WhatFailsOnceIsInconsistent) {
  const PrivateFolder folder;
  const std::vector<TestResult> results = together({"Fake.Passes", "Fake.FailsOnceInCompany"}, (folder.path() / "been here").string());
  EXPECT_EQ(results[0].verdict, Verdict::inconsistent) << results[0].reason;
  EXPECT_TRUE(results[1].passed());
}

TEST(Together, ASanitizersReportIsNotAPass) {
  Ended ended;
  ended.how = Ended::How::exited;
  ended.output = "WARNING: ThreadSanitizer: data race (pid=1)\n";
  const std::string report = R"({"testsuites":[{"name":"A","testsuite":[{"name":"b","status":"RUN","result":"COMPLETED","time":"0.5s"}]}]})";
  TestResult test;
  test.name = "A.b";
  EXPECT_FALSE(judge_together(ended, report, true, {&test}));
  EXPECT_EQ(test.verdict, Verdict::not_run);
  EXPECT_TRUE(judge_together(ended, report, false, {&test}));
  EXPECT_TRUE(test.passed());
  EXPECT_EQ(test.seconds, 0.5);
}

}  // namespace
}  // namespace grader
