// Tests of the student's commands.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "child.h"
#include "console.h"
#include "text_diff.h"
#include "doctor.h"
#include "hints.h"
#include "loopback_probe.h"
#include "points.h"
#include "student.h"
#include "student_files.h"
#include "watch.h"

namespace grader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStarter =
    "// TODO 1: what it keeps.\nstruct Table::State {};\n\n// TODO 2: the table.\nint f() { not_started(\"lab01 TODO 2\"); }\n"
    "int g() { not_started(\"lab01 TODO 2\"); }\n\n// TODO 3: the end.\nint h(int a) {\n  not_started(\"lab01 TODO 3\", a);\n}\n";

TEST(Todos, AreThoseOfTheComments) {
  EXPECT_EQ(todos_in(kStarter), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(open_todos(kStarter), (std::vector<int>{1, 2, 3}));
}

TEST(Todos, AreWrittenWhenTheCallIsGone) {
  EXPECT_EQ(open_todos("// TODO 1: what it keeps.\nstruct Table::State { int n; };\n// TODO 2\n// not_started(\"lab01 TODO 2\")\n"
                       "int h() { not_started(\"lab01 TODO 3\"); }\n"),
            std::vector<int>{3});
  EXPECT_TRUE(open_todos("").empty());
}

// A checkout with one lab.
class Student : public testing::Test {
 protected:
  Student() {
    workspace_.root = folder_.path();
    workspace_.build = folder_.path() / "build";
    workspace_.labs = {{1, "lab01_accept", "accept"}};
    fs::create_directories(folder_.path() / "lab01_accept");
    fs::create_directories(folder_.path() / "solutions/lab01_accept");
    write(kStarter);
  }
  void write(const std::string& text) { std::ofstream(file(), std::ios::binary) << text; }
  fs::path file() const { return folder_.path() / lab().student_file(); }
  const Lab& lab() const { return workspace_.labs.front(); }

  void checked(int points) {
    LabResult result;
    result.name = lab().name;
    result.file_hash = hash_of(read_text(file()));
    const auto add = [&](const char* name, int worth, Verdict verdict) {
      result.tests.push_back({});
      result.tests.back().name = name;
      result.tests.back().points = worth;
      result.tests.back().verdict = verdict;
    };
    add("Lab01.First", points, Verdict::passed);
    if (points < 100) add("Lab01.Second", 100 - points, Verdict::hang);
    save_result(workspace_, result, "linux");
  }
  template <class Command>
  std::string said(Command command, int expected) {
    testing::internal::CaptureStdout();
    const int code = command();
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, expected) << text;
    return text;
  }
  std::string status_text() {
    return said([&] { return status(workspace_); }, 0);
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  PrivateFolder folder_;
  Workspace workspace_;
};

TEST_F(Student, AResultIsKept) {
  EXPECT_FALSE(saved_result(workspace_, lab()));
  checked(40);
  const auto result = saved_result(workspace_, lab());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->earned, 40);
  EXPECT_EQ(result->first_failure, "Lab01.Second");
  EXPECT_EQ(result->verdict, "hang");
  EXPECT_FALSE(result->full());
  std::ofstream(workspace_.build / "results/lab01.json") << "damaged";
  EXPECT_FALSE(saved_result(workspace_, lab()));
}

TEST_F(Student, StatusSaysWhatIsNext) {
  EXPECT_TRUE(has(status_text(), "0/100  not started")) << status_text();
  EXPECT_TRUE(has(status_text(), "Next: read lab01_accept/README.md"));
  write("int written;\n");
  EXPECT_TRUE(has(status_text(), "not checked yet"));
  checked(40);
  EXPECT_TRUE(has(status_text(), "[########............]  40/100  Lab01.Second: hang")) << status_text();
  write("int changed;\n");
  EXPECT_TRUE(has(status_text(), "changed since the last check")) << status_text();
  EXPECT_TRUE(has(status_text(), "Next: ./lab check 1"));
  checked(100);
  EXPECT_TRUE(has(status_text(), "100/100  full points")) << status_text();
  fs::remove(file());
  EXPECT_TRUE(has(status_text(), "the file does not exist"));
}

TEST(Hints, EveryTodoOfTheStartersHasThree) {
  const fs::path root = LAB_SOURCE_ROOT;
  int labs = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("lab0")) continue;
    ++labs;
    const Lab lab{0, name, name.substr(6)};
    const LabHints hints = read_hints(root / "tests/grader/core/hints.json", name);  // throws unless each has three
    for (const int todo : todos_in(read_text(root / lab.student_file()))) {
      EXPECT_EQ(hints.count(todo), 1u) << name << " TODO " << todo;
    }
    for (const auto& [todo, texts] : hints) {
      for (const std::string& text : texts) EXPECT_GT(text.size(), 40u) << name << " TODO " << todo;
    }
  }
  EXPECT_EQ(labs, 6);
}

TEST(Hints, TheHandoutSaysWhatAFailingTestMeans) {
  const auto row = handout_row("# x\n| test | fails |\n| `AIsB`, `Other` | it is not | step 1 |\n", "Lab01.Other");
  EXPECT_EQ(row, (std::vector<std::string>{"it is not", "step 1"}));
  EXPECT_TRUE(handout_row("| `AIsB` | it is not | step 1 |\n", "Lab01.IsB").empty());
}

TEST_F(Student, OneHintMoreEachTime) {
  fs::create_directories(folder_.path() / "tests/grader/core");
  std::ofstream(folder_.path() / "tests/grader/core/hints.json") << R"({"lab01_accept":{"1":["q1","w1","c1"],"2":["q2","w2","c2"]}})";
  HintOptions options{"1", 0, false, false};
  const auto text = [&] { return said([&] { return hint(workspace_, options); }, 0); };
  const std::string first = text();
  EXPECT_TRUE(has(first, "TODO 1, hint 1 of 3\n    q1") && !has(first, "w1") &&
              has(first, "For one more: ./lab hint 1 1"))
      << first;
  options.again = true;
  EXPECT_TRUE(has(text(), "q1"));
  EXPECT_FALSE(has(text(), "w1"));
  options.again = false;
  EXPECT_TRUE(has(text(), "w1"));
  const std::string third = text();
  EXPECT_TRUE(!has(third, "w1") && has(third, "c1") && has(third, "no further hint")) << third;
  const std::string fourth = text();
  EXPECT_TRUE(has(fourth, "q1") && has(fourth, "c1")) << fourth;

  write("struct Table::State { int n; };\nint f() { not_started(\"lab01 TODO 2\"); }\n");
  EXPECT_TRUE(has(text(), "TODO 2, hint 1 of 3"));
  options.todo = 7;
  EXPECT_THROW(hint(workspace_, options), UsageError);
  options.todo = 0;
  write("int all_is_written;\n");
  std::ofstream(folder_.path() / "lab01_accept/README.md") << "| `Second` | it waits forever | step 2 |\n";
  checked(40);
  EXPECT_TRUE(has(text(), "    it waits forever\n    Look at step 2."));
  std::ofstream(folder_.path() / "tests/grader/core/hints.json") << R"({"lab01_accept":{"1":["q1"]}})";
  EXPECT_THROW(hint(workspace_, options), GraderError);
}

TEST_F(Student, ACrashNamesThePlaceInTheHandout) {
  std::ofstream(folder_.path() / "lab01_accept/README.md") << "| `Second` | it waits forever | step 2 |\n";
  LabResult result;
  result.number = 1;
  result.name = lab().name;
  result.file = lab().student_file();
  result.tests.resize(1);
  result.tests[0].name = "Lab01.Second";
  result.tests[0].verdict = Verdict::crash;
  const auto text = [&] { return said([&] { print_lab(result, {}, workspace_); return 0; }, 0); };
  EXPECT_TRUE(has(text(), "    read: lab01_accept/README.md#what-failing-tests-mean; look at step 2\n")) << text();
  result.tests[0].output = "story: 1. a\nhang: why\nstory: read: N1, there\n";
  result.tests[0].verdict = Verdict::hang;
  result.tests[0].reason = "why";
  EXPECT_TRUE(has(text(), "hang: why\n    1. a\n    read: N1, there\n    replay: ")) << text();
}

TEST_F(Student, TheNextStepIsTheFirstOpenTodo) {
  LabResult result;
  result.number = 1;
  result.name = lab().name;
  result.file = lab().student_file();
  result.tests.resize(1);
  result.tests[0].verdict = Verdict::not_started;
  result.tests[0].output = "not started: lab01 TODO 2\n";
  const std::string text = said([&] { print_lab(result, {}, workspace_); return 0; }, 0);
  EXPECT_TRUE(has(text, "Next: open lab01_accept/accept.cpp at TODO 1 ")) << text;
}

TEST_F(Student, AFileThatIsNotBuiltHasANextStep) {
  LabResult result;
  result.number = 1;
  result.name = lab().name;
  result.file = lab().student_file();
  result.problem = Problem::build;
  const auto next = [&](const std::string& problem) {
    result.problem_text = problem;
    return said([&] { print_lab(result, {}, workspace_); return 0; }, 0);
  };
  EXPECT_TRUE(has(next("lab01_accept/accept.cpp:1:1: error: no\n"), "Next: correct lab01_accept/accept.cpp")) << next("");
#ifndef _WIN32  // MSVC has other messages, so there each error is attributed to the file
  EXPECT_TRUE(has(next("c++: fatal error: cannot execute 'as'\n"), "./lab doctor")) << next("");
#endif
  fs::remove(file());
  EXPECT_TRUE(has(next("lab01_accept/accept.cpp does not exist\n"), "Next: ./lab reset 1")) << next("");
}

TEST_F(Student, ResetKeepsWhatWasWritten) {
  EXPECT_THROW(reset(workspace_, "1", true), GraderError);  // no git here, and no saved copy
  keep_starter(workspace_, lab());
  EXPECT_TRUE(has(said([&] { return reset(workspace_, "1", false); }, 0), "already is the starter"));
  for (const std::string mine : {"int mine_1;\n", "int mine_2;\n"}) {
    write(mine);
    keep_starter(workspace_, lab());  // only a starter is saved
    said([&] { return reset(workspace_, "1", true); }, 0);
    EXPECT_EQ(read_text(file()), kStarter);
  }
  EXPECT_EQ(read_text(file().string() + ".bak-1"), "int mine_1;\n");
  EXPECT_EQ(read_text(file().string() + ".bak-2"), "int mine_2;\n");
  fs::remove(file());
  said([&] { return reset(workspace_, "1", false); }, 0);  // nothing would be lost, so it does not ask
  EXPECT_EQ(read_text(file()), kStarter);
}

TEST_F(Student, ResetFindsTheStarterBelowCommittedWork) {
  const auto git = [&](std::vector<std::string> words) {
    Command command;
    command.args = {"git", "-C", folder_.path().string(), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"};
    command.args.insert(command.args.end(), words.begin(), words.end());
    return run(command).ok();
  };
  if (!git({"init"})) return;  // there is no git; a skipped test would count as an error
  ASSERT_TRUE(git({"add", "."}) && git({"commit", "-m", "starter"}));
  write("int mine;\n");
  ASSERT_TRUE(git({"commit", "-a", "-m", "mine"}));
  said([&] { return reset(workspace_, "1", true); }, 0);
  EXPECT_EQ(read_text(file()), kStarter);
}

TEST_F(Student, TheSolutionIsShownForFullPoints) {
  std::ofstream(folder_.path() / lab().solution_file()) << "int solution;\n";
  const auto text = [&](bool force, int expected) { return said([&] { return diff(workspace_, "1", force); }, expected); };
  write("int mine;\n");
  EXPECT_TRUE(has(text(false, 1), "has not been checked yet"));
  checked(40);
  EXPECT_TRUE(has(text(false, 1), "40 of 100 points"));
  EXPECT_FALSE(has(text(false, 1), "int solution"));
  EXPECT_TRUE(has(text(true, 0), "-int mine;\n+int solution;\n"));
  checked(100);
  EXPECT_TRUE(has(text(false, 0), "+++ solutions/lab01_accept/accept.cpp"));
  write("int changed;\n");
  EXPECT_TRUE(has(text(false, 1), "has changed"));
}

TEST(Diff, IsUnified) {
  const std::string first = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n";
  EXPECT_TRUE(unified_diff(first, first, "a", "b").empty());
  EXPECT_EQ(unified_diff(first, "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n", "a", "b"),
            (std::vector<std::string>{"--- a", "+++ b", "@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8",
                                      "@@ -11,4 +11,3 @@", " 11", " 12", " 13", "-14"}));
  EXPECT_EQ(unified_diff("", "x\n", "a", "b"), (std::vector<std::string>{"--- a", "+++ b", "@@ -0,0 +1,1 @@", "+x"}));
}

TEST(Doctor, ReadsVersions) {
  using Version = std::vector<int>;
  EXPECT_EQ(version_in("g++ (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022"), (Version{12, 2, 0}));
  EXPECT_EQ(version_in("cmake version 3.25.1"), (Version{3, 25, 1}));
  EXPECT_EQ(version_in("wine-8.0 (Debian 8.0~repack-4)"), (Version{8, 0}));
  EXPECT_EQ(version_in("1.11.1\n"), (Version{1, 11, 1}));
  EXPECT_EQ(version_in("12-posix"), Version{12});
  EXPECT_TRUE(version_in("none").empty());
}

TEST(Doctor, JudgesVersions) {
  EXPECT_EQ(judge_program("a", "", {1}, "a", true).state, Finding::State::missing);
  EXPECT_EQ(judge_program("a", "cmake version 3.24.0", {3, 24}, "a", true).state, Finding::State::ok);
  EXPECT_EQ(judge_program("a", "cmake version 3.9.6", {3, 24}, "a", true).state, Finding::State::too_old);
  EXPECT_EQ(judge_program("a", "cmake version 3.9.6", {3, 24}, "a", true).detail, "3.9.6, must be 3.24 or newer");
  EXPECT_EQ(judge_program("a", "it runs", {}, "a", true).state, Finding::State::ok);
}

TEST(Doctor, OnlyWhatIsNeededCounts) {
  const Finding there{"CMake", Finding::State::ok, "3.25", "cmake", true};
  const auto text = [&](Finding second, int expected) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(print_findings({there, second}), expected);
    return testing::internal::GetCapturedStdout();
  };
  const std::string without_wine = text({"Wine", Finding::State::missing, "", "wine", false}, 0);
  EXPECT_NE(without_wine.find("apt-get install wine"), std::string::npos) << without_wine;
  const std::string without_ninja = text({"Ninja", Finding::State::too_old, "1.2", "ninja-build", true}, 1);
  EXPECT_NE(without_ninja.find("too old  Ninja"), std::string::npos) << without_ninja;
  EXPECT_NE(without_ninja.find("apt-get install ninja-build"), std::string::npos);
  EXPECT_EQ(try_loopback(), "");
}

TEST_F(Student, AWatchSeesASave) {
  FileWatch watched(file());
  EXPECT_FALSE(watched.changed());
  auto time = fs::last_write_time(file());
  const auto save = [&](const std::string& text) {
    write(text);
    fs::last_write_time(file(), time += std::chrono::seconds(1));  // file systems may have coarse time stamps
  };
  save("int mine;\n");
  EXPECT_TRUE(watched.changed());
  EXPECT_FALSE(watched.changed());
  save("int mine;\n");  // saved, but unchanged
  EXPECT_FALSE(watched.changed());
  fs::remove(file());
  EXPECT_FALSE(watched.changed());
  save("");  // in the middle of a save
  EXPECT_FALSE(watched.changed());
  write("int more;\n");
  fs::last_write_time(file(), time);
  EXPECT_TRUE(watched.changed());
}

// Returns the words between the brackets of each "name=(a b c)" in the script `lab`.
std::set<std::string> packages_of_lab(const std::string& script) {
  std::set<std::string> packages;
  for (const std::string name : {"\nnative=(", "\nwine=(", "\nbench=("}) {
    const std::size_t begin = script.find(name);
    if (begin == std::string::npos) continue;
    std::istringstream words(script.substr(begin + name.size(), script.find(')', begin) - begin - name.size()));
    for (std::string word; words >> word;) packages.insert(word);
  }
  return packages;
}

TEST(Editor, TheContainerHasWhatLabInstalls) {
  const fs::path root = LAB_SOURCE_ROOT;
  const std::set<std::string> packages = packages_of_lab(read_text(root / "lab"));
  EXPECT_GE(packages.size(), 11u);
  std::istringstream words(read_text(root / ".devcontainer/Dockerfile"));
  const std::set<std::string> installed{std::istream_iterator<std::string>(words), {}};
  for (const std::string& package : packages) EXPECT_EQ(installed.count(package), 1u) << package;
}

TEST(Editor, EveryLabHasItsTasks) {
  const fs::path root = LAB_SOURCE_ROOT;
  const std::string tasks = read_text(root / ".vscode/tasks.json"), launch = read_text(root / ".vscode/launch.json");
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("lab0")) continue;
    const std::string number = name.substr(4, 1);
    for (const std::string label : {"check lab ", "run lab ", "build the tests of lab "}) {
      EXPECT_NE(tasks.find("\"" + label + number + "\""), std::string::npos) << label << number;
    }
    EXPECT_NE(tasks.find("--target " + name + "_graded_test\""), std::string::npos) << name;
    EXPECT_NE(launch.find("/" + name + "_graded_test\""), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace grader
