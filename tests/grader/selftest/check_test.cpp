// Tests of `lab check` and of the command line of `lab bench`: what is built and run, and in which order.
#include <gtest/gtest.h>

#ifndef _WIN32

#include <filesystem>
#include <fstream>
#include <sstream>

#include "child.h"
#include "commands.h"
#include "points.h"
#include "student_files.h"
#include "test_programs.h"

namespace grader {
namespace {

namespace fs = std::filesystem;

// Writes its calls to ROOT/runs, and fails as ROOT/fails specifies. The test Lab02.H must run first, otherwise the
// others hang.
constexpr const char* kTestProgram = R"(#!/bin/sh
me=$(basename "$0")
for word; do
  case $word in
    --gtest_filter=*) test=${word#--gtest_filter=Lab02.} ;;
    --gtest_output=json:*) report=${word#--gtest_output=json:} ;;
  esac
done
write() { echo "{\"testsuites\": [{\"name\": \"Lab02\", \"testsuite\": [$1]}]}" >"$report"; }
if [ -z "$test" ]; then
  write '{"name": "A"}, {"name": "B"}, {"name": "C"}, {"name": "D"}, {"name": "H"}'
  exit 0
fi
echo "$me $test" >>ROOT/runs
if [ -e ROOT/orders ]; then  # B fails in seed 17, or wherever choice 2 is taken at decision 5
  echo "first: $LAB_FIRST" >>ROOT/runs
  order=${LAB_SEED-17}
  [ "$order" = 17 ] && order=17/1.1-5.2-9.1-30.3
  [ "$test" = A ] && echo "orders: every order with at most 2 preemptions: 1,284"
  case $test$order in B*5.2*)
    printf 'seed: %s\ndecisions: %s\nstory: expected: it fails\n' "${LAB_SEED-17}" "$order"
    write '{"name": "B", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "story: expected: it fails"}]}'
    exit 1
  esac
fi
while [ -e ROOT/h_first ] && ! grep -q "$me H" ROOT/runs; do sleep 0.02; done
if [ -e ROOT/detailed ]; then
  case $test in
    B) echo 'hang: it waits'; exit 4 ;;
    C) echo 'story: expected 1, but it was 2'; failure='story: expected 1, but it was 2' ;;
    D) echo 'rule: no_lock (N9): the lock is held'; failure='rule: no_lock' ;;
  esac
  if [ -n "$failure" ]; then
    write "{\"name\": \"$test\", \"status\": \"RUN\", \"result\": \"COMPLETED\", \"failures\": [{\"failure\": \"$failure\"}]}"
    exit 1
  fi
fi
if grep -q "^$me $test$" ROOT/fails; then
  write "{\"name\": \"$test\", \"status\": \"RUN\", \"result\": \"COMPLETED\", \"failures\": [{\"failure\": \"story: expected: x\"}]}"
  exit 1
fi
write "{\"name\": \"$test\", \"status\": \"RUN\", \"result\": \"COMPLETED\"}"
)";

constexpr const char* kCMakeLists = R"(cmake_minimum_required(VERSION 3.24)
project(course NONE)
foreach(target IN ITEMS lab02_x_graded_test lab02_x_test)
  add_custom_target(${target} COMMAND ${CMAKE_COMMAND} -E copy_if_different ${CMAKE_SOURCE_DIR}/test_program ${CMAKE_BINARY_DIR}/bin/${target})
endforeach()
)";

// A course with two labs; lab 2 has five tests of 20 points. Its test programs are shell scripts.
class Check : public testing::Test {
 protected:
  Check() {
    workspace_.root = folder_.path();
    workspace_.build = folder_.path() / "build";
    workspace_.labs = {{1, "lab01_w", "w"}, {2, "lab02_x", "x"}};
    for (const char* const part : {"tests", "lab02_x", "solutions/lab01_w", "build/log", "build/linux/bin"}) fs::create_directories(folder_.path() / part);
    write("CMakeLists.txt", kCMakeLists);
    write("CMakePresets.json", R"({"version": 3, "configurePresets": [{"name": "linux", "generator": "Ninja"}]})");
    write("tests/lab02_x_test.cpp", "");
    write("solutions/lab01_w/w.cpp", "int reference;\n");
    write("lab02_x/x.cpp", "int mine;\n");
    std::string tests;
    for (const std::string name : {"A", "B", "C", "D", "H"}) tests += (tests.empty() ? "" : ", ") + (R"({"name": "Lab02.)" + name + R"(", "points": 20, "seconds": 4})");
    write("tests/points.json", R"({"lab02_x": {"tests": [)" + tests + "]}}");
    std::string program = kTestProgram;
    for (std::size_t at; (at = program.find("ROOT")) != std::string::npos;) program.replace(at, 4, folder_.path().string());
    write("test_program", program);
    fs::permissions(folder_.path() / "test_program", fs::perms::owner_all);
    fails({});
    options_.lab = "2";
  }
  void write(const std::string& file, const std::string& text) { std::ofstream(folder_.path() / file) << text; }
  void fails(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    write("fails", text);
  }
  std::string check_says(int expected) {
    write("runs", "");
    testing::internal::CaptureStdout();
    const int code = check(workspace_, options_);
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, expected) << text;
    return text;
  }
  // Returns how often one of the two programs ran a test.
  int runs_of(const std::string& program) const {
    int runs = 0;
    std::istringstream lines(read_text(folder_.path() / "runs"));
    for (std::string line; std::getline(lines, line);) runs += line.starts_with(program + " ") ? 1 : 0;
    return runs;
  }
  bool own_is_built() const { return fs::exists(workspace_.build / "linux/bin/lab02_x_test"); }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  const PrivateFolder folder_;
  Workspace workspace_;
  CheckOptions options_;
};

TEST_F(Check, WithoutFullPointsTheOwnChainIsNotEvenBuilt) {
  fails({"lab02_x_graded_test B"});
  const std::string text = check_says(kExitNotFull);
  EXPECT_TRUE(has(text, "80/100") && has(text, "over your own lab 1: not run; ./lab check 2 --own runs it")) << text;
  EXPECT_FALSE(own_is_built());
  EXPECT_EQ(runs_of("lab02_x_test"), 0);
}

TEST_F(Check, TheOwnChainRunsOnDemand) {
  fails({"lab02_x_graded_test B", "lab02_x_test C"});
  options_.own = true;
  const std::string text = check_says(kExitNotFull);
  EXPECT_TRUE(has(text, "80/100") && has(text, "over your own lab 1: 60/100, first Lab02.B. Correct lab01_w/w.cpp: ./lab check 1\n")) << text;
  EXPECT_EQ(runs_of("lab02_x_test"), 4);  // B has already failed
}

TEST_F(Check, WithFullPointsTheOwnChainRunsUntilItHasThemToo) {
  fails({"lab02_x_test C"});
  EXPECT_TRUE(has(check_says(kExitFull), "over your own lab 1: 80/100, first Lab02.C"));
  EXPECT_EQ(runs_of("lab02_x_test"), 5);
  EXPECT_TRUE(has(check_says(kExitFull), "over your own lab 1: 80/100, first Lab02.C"));
  fails({});
  EXPECT_TRUE(has(check_says(kExitFull), "over your own lab 1: 100/100\n"));
  EXPECT_TRUE(has(check_says(kExitFull), "over your own lab 1: 100/100, as before\n"));
  EXPECT_EQ(runs_of("lab02_x_test"), 0);
  EXPECT_EQ(runs_of("lab02_x_graded_test"), 5);
  options_.own = true;
  EXPECT_FALSE(has(check_says(kExitFull), "as before"));
  options_.own = false;
  write("test_program", read_text(folder_.path() / "test_program") + "# changed\n");
  EXPECT_FALSE(has(check_says(kExitFull), "as before"));
  EXPECT_EQ(runs_of("lab02_x_test"), 5);
}

TEST_F(Check, TheTestThatFailedLastTimeRunsFirst) {
  fails({"lab02_x_graded_test H"});
  check_says(kExitNotFull);
  write("h_first", "");
  const std::string text = check_says(kExitNotFull);
  EXPECT_TRUE(has(text, "80/100")) << text;
  EXPECT_LT(text.find("Lab02.A"), text.find("Lab02.H")) << text;  // the order of the manifest
}

TEST_F(Check, AWatchRunsTheFailedTestAloneWhileItFails) {
  fails({"lab02_x_graded_test C", "lab02_x_graded_test D"});
  check_says(kExitNotFull);
  options_.failed_alone = true;
  EXPECT_FALSE(has(check_says(kExitNotFull), "Lab02.D"));
  EXPECT_EQ(runs_of("lab02_x_graded_test"), 3);  // C, and two repetitions
  EXPECT_EQ(saved_result(workspace_, workspace_.labs[1])->earned, 60) << "one test is not a result of the lab";
  fails({"lab02_x_graded_test D"});
  EXPECT_TRUE(has(check_says(kExitNotFull), "80/100"));
  EXPECT_EQ(runs_of("lab02_x_graded_test"), 7);  // five, and two repetitions of D
  EXPECT_EQ(saved_result(workspace_, workspace_.labs[1])->first_failure, "Lab02.D");
}

TEST_F(Check, AFailingOrderIsMinimizedAndRunsFirstNextTime) {
  write("orders", "");
  const std::string text = check_says(kExitNotFull);
  EXPECT_TRUE(has(text, "replay: ./lab check 2 --test Lab02.B --seed 17/5.2\n")) << text;
  EXPECT_TRUE(has(text, "Lab02.A  passed, every order with at most 2 preemptions: 1,284\n")) << text;
  EXPECT_FALSE(has(text, "decisions:")) << text;
  EXPECT_FALSE(has(read_text(folder_.path() / "runs"), "17/5.2")) << "it failed for the first time";
  check_says(kExitNotFull);
  EXPECT_TRUE(has(read_text(folder_.path() / "runs"), "first: Lab02.B=17/5.2\n"));
}

TEST_F(Check, TheMostInformativeFailureIsShown) {
  write("detailed", "");
  const std::string text = check_says(kExitNotFull);
  EXPECT_TRUE(has(text, "Lab02.D  wrong: the lock is held")) << text;
  EXPECT_TRUE(has(text, "\nLab02.B  hang: it waits\n")) << text;
  EXPECT_TRUE(has(text, "\nLab02.C  wrong: expected 1, but it was 2\n")) << text;
  EXPECT_TRUE(has(text, "replay: ./lab check 2 --test Lab02.D")) << text;
}

TEST_F(Check, SomeOptionsExcludeEachOther) {
  options_.own = true;
  options_.test = "A";
  EXPECT_THROW(check(workspace_, options_), UsageError);
  options_.own = false;
  options_.lab = "all";
  EXPECT_THROW(check(workspace_, options_), UsageError);
  options_.test.clear();
  options_.sanitizers = true;
  options_.platform = "linux";
  EXPECT_THROW(check(workspace_, options_), UsageError);
}

TEST(Bench, HelpAndErrorsNeedNoBuild) {
  const PrivateFolder folder;
  const auto expect = [&](std::vector<std::string> words, int code, const std::string& text) {
    Command command;
    command.args = {(fake_program().parent_path() / "lab_tool").string(), "bench"};
    command.args.insert(command.args.end(), words.begin(), words.end());
    command.env = {{"LAB_ROOT", LAB_SOURCE_ROOT}, {"LAB_BUILD_DIR", folder.path().string()}, {"PATH", ""}};  // no cmake: a build fails
    const Ended ended = run(command);
    EXPECT_EQ(ended.code, code) << words.front() << "\n" << ended.output;
    EXPECT_NE(ended.output.find(text), std::string::npos) << words.front() << "\n" << ended.output;
  };
  expect({"--help"}, kExitFull, "--only");
  expect({"4", "--help"}, kExitFull, "--solution");
  expect({"lab04", "--help"}, kExitFull, "--solution");
  expect({"--rounds", "0"}, kExitBadUsage, "--rounds");
  expect({"--only", "tea"}, kExitBadUsage, "--only");
  expect({"--wine-bin", "/"}, kExitBadUsage, "--wine-run");
  expect({"--platform", "wine", "--wat"}, kExitBadUsage, "--wat");
  expect({"4", "--rounds", "many"}, kExitBadUsage, "--rounds");
  expect({"4", "--wat"}, kExitBadUsage, "--wat");
  expect({"9", "--help"}, kExitBadUsage, "there is no lab '9'");
  expect({"--rounds", "1"}, kExitBuildFailed, "lab_bench does not build");  // the next step builds
}

}  // namespace
}  // namespace grader

#endif
