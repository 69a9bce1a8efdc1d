// Tests `grade` with an unusual set-up, and with a broken one. Part of the program hostile_test.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "child.h"
#include "student_build.h"
#include "model.h"
#include "sandbox.h"

namespace grader {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LAB_TEST_ROOT;
const fs::path kBuild = LAB_TEST_BUILD;
const fs::path kSolution = kRoot / "solutions/lab01_accept/accept.cpp";

class GradeSetUp : public testing::Test {
 protected:
  void SetUp() override {
    if (Sandbox().kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << "bubblewrap does not run here";
    fs::create_directories(folder_.path() / "class/one");
    fs::copy_file(kSolution, folder_.path() / "class/one/accept.cpp");
  }
  fs::path program(const std::string& name, const std::string& text) {
    const fs::path file = folder_.path() / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n" << text;
    fs::permissions(file, fs::perms::all);
    return file;
  }
  Ended grade(const fs::path& build, const std::vector<std::pair<std::string, std::string>>& env) {
    Command command;
    command.env = env;
    command.env.insert(command.env.end(), {{"LAB_ROOT", kRoot.string()}, {"LAB_BUILD_DIR", build.string()}});
    // Its own seed, so that no earlier run has proved this set-up.
    command.args = {(kBuild / "linux/bin/lab_tool").string(), "grade", (folder_.path() / "class").string(), "--labs", "1", "--jobs", "2",
                    "--seed", std::to_string(::getpid()), "--out", (folder_.path() / "out").string()};
    command.limit = 900;
    return run(command);
  }
  // Grades with another bubblewrap, which finds the real one as $BWRAP.
  Ended grade_with(const fs::path& bwrap) {
    Command where;
    where.args = {"sh", "-c", "command -v bwrap"};
    std::string real = run(where).output;
    real.erase(real.find_last_not_of('\n') + 1);
    return grade(kBuild, {{"PATH", bwrap.parent_path().string() + ":" + std::getenv("PATH")}, {"BWRAP", real}});
  }
  std::string csv() const { return read_all(folder_.path() / "out/results.csv"); }

  const PrivateFolder folder_;
};

TEST_F(GradeSetUp, LaunchersFlagsAndACompilerInAFolderOfItsOwnCostNothing) {
  const fs::path launcher = program("my tools/launch", "echo \"$A\" >>\"$(dirname \"$0\")/launched\"\nexec \"$@\"\n");
  program("real tools/g++",  // a submission is assembled with its compiler flags, without LTO
          "case \"$*\" in *own.s*) case \"$CCACHE_DISABLE $*\" in 1\\ *-m64*-fno-lto*) ;; *) exit 1;; esac;; "
          "esac\nexec /usr/bin/g++ \"$@\"\n");
  fs::create_symlink(folder_.path() / "real tools/g++", folder_.path() / "my tools/g++");
  const Ended ended = grade(folder_.path() / "b'uild (x)", {{"CXX", "'" + (folder_.path() / "my tools/g++").string() + "' -m64"},
                                                             {"CMAKE_CXX_COMPILER_LAUNCHER", "env;A=compiles it;" + launcher.string()},
                                                             {"CMAKE_CXX_LINKER_LAUNCHER", "env;A=links it;" + launcher.string()},
                                                             {"CXXFLAGS", "-DLAB_WORDS=\"a b\" -isystem \"" + (folder_.path() / "my headers").string() + "\""},
                                                             {"LDFLAGS", "-Wl,--as-needed"}});
  ASSERT_TRUE(ended.ok()) << ended.output;
  EXPECT_NE(csv().find("\none,100,100,"), std::string::npos) << csv() << ended.output;
  const std::string launched = read_all(folder_.path() / "my tools/launched");
  EXPECT_NE(launched.find("compiles it"), std::string::npos);
  EXPECT_NE(launched.find("links it"), std::string::npos);
}

// The sandbox starts, but the compiler fails in it.
TEST_F(GradeSetUp, ACompilerThatFailsIsAFaultOfTheCourse) {
  const fs::path bwrap = program("broken/bwrap", "for word; do [ \"$word\" != -S ] || { echo 'cc1plus: error: out of order'; exit 1; }; done\nexec \"$BWRAP\" \"$@\"\n");
  const Ended ended = grade_with(bwrap);
  EXPECT_EQ(ended.code, kExitGraderError) << ended.output;
  EXPECT_NE(ended.output.find("the solution of lab01_accept does not build on linux:\ncc1plus: error: out of order"), std::string::npos) << ended.output;
  EXPECT_EQ(csv(), "");
}

// The sandbox builds, but no test runs in it.
TEST_F(GradeSetUp, TestsThatCannotPassAreAFaultOfTheCourse) {
  const fs::path bwrap = program("broken/bwrap", "case \"$*\" in *--gtest_filter*) exit 1;; esac\nexec \"$BWRAP\" \"$@\"\n");
  const Ended ended = grade_with(bwrap);
  EXPECT_EQ(ended.code, kExitGraderError) << ended.output;
  EXPECT_NE(ended.output.find("the solution of lab01_accept fails Lab01."), std::string::npos) << ended.output;
  EXPECT_EQ(csv(), "");
}

}  // namespace
}  // namespace grader
