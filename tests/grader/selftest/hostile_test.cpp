// Grades tests/grader/selftest/hostile together with right submissions: no hostile one earns a point or affects another
// one, and the reports are complete. A probe also tests the limits of the sandbox.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "child.h"
#include "student_build.h"
#include "model.h"
#include "results.h"
#include "sandbox.h"
#include "schema_check.h"
#include "submission.h"
#include "timeline.h"

namespace grader {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LAB_TEST_ROOT;
const fs::path kBuild = LAB_TEST_BUILD;
const fs::path kHostile = kRoot / "tests/grader/selftest/hostile";

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LAB_ROOT", kRoot.c_str(), 1);
    ::setenv("LAB_BUILD_DIR", kBuild.c_str(), 1);
    if (sandbox_.kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << "bubblewrap does not run here";
  }
  fs::path folder(const std::string& name) {
    fs::create_directories(folder_.path() / name);
    return folder_.path() / name;
  }
  // Completes a hostile file and adds it to the class as a submission.
  void hand_in(const std::string& file, const std::string& name) {
    std::ofstream out(folder("class/" + name) / "accept.cpp");
    out << read_all(kHostile / (file + ".cpp")) << "\n#ifndef HOSTILE_IS_WHOLE\n" << read_all(kHostile / "stubs.inc") << "#endif\n";
  }
  void hand_in_the_solution(const std::string& name) {
    fs::copy_file(kRoot / "solutions/lab01_accept/accept.cpp", folder("class/" + name) / "accept.cpp");
  }
  nlohmann::json grade(std::vector<std::string> more = {}, std::vector<std::pair<std::string, std::string>> env = {}) {
    Command command;
    command.env = std::move(env);
    command.args = {(fs::path(LAB_TEST_BUILD) / "linux/bin/lab_tool").string(), "grade", folder("class").string(), "--labs", "1", "--timeout", "15", "--again", "0",
                    "--jobs", "6", "--out", folder("out").string()};
    command.args.insert(command.args.end(), more.begin(), more.end());
    command.limit = 900;
    ended_ = run(command);
    EXPECT_TRUE(ended_.ok()) << ended_.output;
    return nlohmann::json::parse(read_all(folder("out") / "results.json"), nullptr, false);
  }

  // Returns a search path with a bubblewrap that does not run.
  std::string path_without_bubblewrap() {
    const fs::path program = folder("no-bubblewrap") / "bwrap";
    std::ofstream(program) << "#!/bin/sh\nexit 1\n";
    fs::permissions(program, fs::perms::all);
    return program.parent_path().string() + ":" + std::getenv("PATH");
  }
  void expect_whole(const nlohmann::json& report, std::size_t count) {
    ASSERT_TRUE(report.is_object()) << ended_.output;
    EXPECT_EQ(report.at("complete"), true);
    EXPECT_EQ(report.at("submissions").size(), count);
    for (const nlohmann::json& one : report.at("submissions")) {
      const std::string name = one.at("name");
      EXPECT_EQ(one.at("earned"), name.find("right_one") != std::string::npos ? 100 : 0) << one.dump(1).substr(0, 2000);
      EXPECT_LT(one.dump().size(), 800'000u) << name;
      for (const nlohmann::json& lab : one.at("labs")) {
        for (const nlohmann::json& test : lab.value("tests", nlohmann::json::array())) EXPECT_NE(test.at("verdict"), "grader error") << name << test;
      }
    }
  }

  const Sandbox sandbox_;
  const PrivateFolder folder_;
  Ended ended_;
};

// The hostile files are graded as several classes at once, because many of them only wait for their limits.
constexpr std::size_t kClasses = 4;

class HostileClass : public Hostile, public testing::WithParamInterface<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Corpus, HostileClass, testing::Range<std::size_t>(0, kClasses));

TEST_P(HostileClass, EarnsNothingAndAffectsNoOther) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(kHostile)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".cpp" && name != "box_probe") names.insert(name);
  }
  std::size_t count = 2, number = 0;
  for (const std::string& name : names) {
    if (number++ % kClasses != GetParam()) continue;
    hand_in(name, name == "says_html" ? "<b>=1\n2" : name);
    ++count;
  }
  hand_in_the_solution("a_right_one");
  hand_in_the_solution("z_right_one");
  std::ofstream(folder("class/z_right_one") / "accept.cpp", std::ios::app) << "static int with_a_warning;\n";
  const nlohmann::json report = grade();
  expect_whole(report, count);
  const nlohmann::json schema = nlohmann::json::parse(read_all(kRoot / "tests/grader/grading/results.schema.json"));
  EXPECT_EQ(schema_complaint(report, schema, schema), "");
  nlohmann::json other = report;
  other["submissions"][0]["labs"][0]["earned"] = "1";
  EXPECT_NE(schema_complaint(other, schema, schema), "");
  other = report;
  other["submissions"][0]["more"] = 1;
  EXPECT_NE(schema_complaint(other, schema, schema), "");
  EXPECT_EQ(report.at("alike").size(), 1u);  // the two right ones
  std::size_t pages = 0;
  for (const fs::directory_entry& page : fs::directory_iterator(folder("out/students"))) {
    const std::string text = read_all(page.path());
    EXPECT_EQ(text.find("<script"), std::string::npos) << page.path();
    EXPECT_EQ(text.find('\033'), std::string::npos) << page.path();
    EXPECT_LT(text.size(), 2'000'000u) << page.path();
    ++pages;
  }
  EXPECT_EQ(pages, count);
  EXPECT_EQ(read_all(folder("out") / "index.html").find("<b>=1"), std::string::npos);
  EXPECT_EQ(read_all(folder("out") / "results.xml").find("<b>"), std::string::npos);
  EXPECT_EQ(read_all(folder("out") / "results.csv").find("\n=1"), std::string::npos);
  EXPECT_EQ(ended_.output.find('\033'), std::string::npos);
}

TEST_F(Hostile, ASubmissionKilledInTheSandboxLeavesItsTimeline) {
  fs::copy_file(kRoot / "tests/mutants/lab01_accept/loop_never_looks_at_stopping.cpp", folder("class/endless") / "accept.cpp");
  const nlohmann::json report = grade();
  ASSERT_TRUE(report.is_object()) << ended_.output;
  std::vector<std::string> timelines;
  for (const nlohmann::json& test : report.at("submissions").at(0).at("labs").at(0).at("tests")) {
    if (!test.contains("timeline")) continue;
    EXPECT_EQ(test.at("verdict"), "hang") << test.at("name");
    timelines.push_back(test.at("timeline"));
  }
  ASSERT_EQ(timelines.size(), 1u);
  EXPECT_TRUE(parse_timeline(timelines[0]).has_value()) << timelines[0];
}

TEST_F(Hostile, LimitsAloneStillHold) {
  for (const std::string name : {"floods_the_output", "includes_the_solution", "replaces_the_printing", "sleeps_for_ever", "takes_all_memory"}) hand_in(name, name);
  hand_in_the_solution("z_right_one");
  const std::vector<std::pair<std::string, std::string>> env = {{"PATH", path_without_bubblewrap()}};
  const nlohmann::json report = grade({"--without-sandbox"}, env);
  expect_whole(report, 6);
  EXPECT_NE(report.at("sandbox").get<std::string>().find("limits only"), std::string::npos);
  Command refused;
  refused.args = {(kBuild / "linux/bin/lab_tool").string(), "grade", folder("class").string(), "--out", folder("out").string()};
  refused.env = env;
  EXPECT_EQ(run(refused).code, kExitBadUsage) << "nothing runs without the option of the instructor";
}

TEST_F(Hostile, EachLimitHoldsAlone) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", path_without_bubblewrap().c_str(), 1);
  const Sandbox limits;
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(limits.kind(), Sandbox::Kind::limits_only);
  SandboxSpec spec;
  spec.limits.seconds = 30;
  spec.limits.memory = 200 << 20;
  spec.limits.file = 1 << 20;
  spec.limits.open_files = 20;
  spec.writable = {folder("limits")};
  const auto ends_well = [&](const std::string& script, double seconds = 30) {
    Command command;
    command.args = {"sh", "-c", script};
    command.dir = folder("limits");
    spec.limits.seconds = seconds;
    return run(limits.wrap(command, spec)).ok();
  };
  EXPECT_TRUE(ends_well("head -c 1000000 /dev/zero >small"));
  EXPECT_FALSE(ends_well("head -c 2000000 /dev/zero >large"));
  EXPECT_EQ(fs::file_size(folder("limits") / "large"), 1u << 20);
  EXPECT_TRUE(ends_well("head -c 10M /dev/zero | sort >/dev/null"));
  EXPECT_FALSE(ends_well("head -c 400M /dev/zero | sort -S 300M >/dev/null"));
  EXPECT_FALSE(ends_well("while :; do :; done", 1));
  EXPECT_FALSE(ends_well("sleep 20", 1));
  EXPECT_TRUE(ends_well("bash -c 'exec 15</dev/null'"));
  EXPECT_FALSE(ends_well("bash -c 'exec 25</dev/null'"));
}

TEST_F(Hostile, CompareTellsHowTwoDiffer) {
  fs::copy_file(kRoot / "tests/mutants/lab01_accept/erase_always_says_true.cpp", folder("one") / "accept.cpp");
  Command command;
  command.args = {(kBuild / "linux/bin/lab_tool").string(), "compare", folder("one").string(), "solution", "--labs", "1", "--again", "0", "--jobs", "2",
                  "--rounds", "1", "--html", (folder_.path() / "page.html").string()};
  command.limit = 300;
  const Ended ended = run(command);
  ASSERT_TRUE(ended.ok()) << ended.output;
  for (const std::string part : {"Lab01.EraseTakesAClientOutOnce\n  first   wrong", "\n  second  passed", "--- first/lab01_accept/accept.cpp",
                                 "first against second: 1 rounds", "\ncalls of new per accept"}) {
    EXPECT_NE(ended.output.find(part), std::string::npos) << part << ended.output;
  }
  EXPECT_NE(ended.output.find("     100\n"), std::string::npos) << ended.output;
  EXPECT_NE(read_all(folder_.path() / "page.html").find("Lab01.EraseTakesAClientOutOnce"), std::string::npos);
  folder("two");
  command.args[2] = folder("").string();  // a class
  EXPECT_EQ(run(command).code, kExitBadUsage);
}

// The builder for Windows, here with CMake's Ninja. Only its commands are tested, not the job object.
TEST_F(Hostile, TheBuilderForWindowsBuildsOneFileAfterAnother) {
  const Workspace workspace = Workspace::from_environment();
  const Lab& lab = workspace.lab("1");
  Progress progress;
  const std::unique_ptr<StudentBuilder> builder =
      cmake_student_builder(workspace, workspace.platform(""), {lab}, 2, progress);
  const WrapInSandbox no_sandbox = [](const Command& inner, const SandboxSpec&) { return inner; };
  const auto points = [&](const fs::path& file, const std::string& name) {
    const StudentBuild built = builder->build_student(lab, file, folder(name), no_sandbox);
    EXPECT_TRUE(built.ok) << built.error;
    const TestProgram program = builder->program(lab, folder(name), no_sandbox);
    std::vector<TestResult> results(builder->labs().at(0).tests.size());
    std::vector<TestRun> runs;
    int sum = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const GradedTest& test = builder->labs()[0].tests[i];
      results[i].name = test.name;
      results[i].points = test.points;
      runs.push_back({&program, test.seconds, &results[i], 0});
    }
    run_tests(runs, 2, [](std::size_t) {});
    for (const TestResult& result : results) sum += result.passed() ? result.points : 0;
    return sum;
  };
  EXPECT_LT(points(kRoot / "tests/mutants/lab01_accept/erase_always_says_true.cpp", "wrong"), 100);
  EXPECT_EQ(points(kRoot / "tests/mutants/lab01_accept/right_beginner.cpp", "right"), 100);
  std::ofstream(folder("broken") / "accept.cpp") << "not C++\n";
  const StudentBuild broken = builder->build_student(lab, folder("broken") / "accept.cpp", folder("none"), no_sandbox);
  EXPECT_FALSE(broken.ok);
  EXPECT_EQ(broken.error.rfind("lab01_accept/accept.cpp:1:", 0), 0u) << broken.error;
  EXPECT_TRUE(fs::is_empty(folder("none")));
}

TEST_F(Hostile, TheSandboxHolds) {
  Command compile;
  compile.args = {"c++", "-std=c++20", "-o", (folder("probe") / "probe").string(), (kHostile / "box_probe.cpp").string()};
  ASSERT_TRUE(run(compile).ok());
  const fs::path scratch = folder("scratch");
  std::ofstream(scratch / "results.json") << "mine";
  SandboxSpec spec;
  spec.read_only = {folder("probe")};
  spec.scratch = scratch;
  spec.limits.seconds = 30;
  spec.limits.memory = 2ull << 30;
  spec.limits.processes = 50;
  Command probe;
  probe.args = {(folder("probe") / "probe").string(), std::to_string(::getpid()), (kRoot / "solutions").string(), (kRoot / "tests").string(), kBuild.string(), (scratch / "results.json").string()};
  probe.dir = scratch;
  const Ended ended = run(sandbox_.wrap(probe, spec));
  EXPECT_EQ(ended.output, "probed\n") << describe_end(ended) << ended.error;
  EXPECT_EQ(read_all(scratch / "results.json"), "mine");
  EXPECT_TRUE(fs::exists(folder("probe") / "probe"));
}

// If bubblewrap does not run, a submission still gets no rights of root.
TEST_F(Hostile, WithoutBubblewrapRootPassesOnNoRights) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", path_without_bubblewrap().c_str(), 1);
  const Sandbox open;
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(open.kind(), Sandbox::Kind::limits_only);
  std::ofstream(folder("own") / "secret") << "secret";
  std::ofstream(folder("given") / "text") << "text";
  const bool root = ::geteuid() == 0;
  fs::permissions(folder("own"), static_cast<fs::perms>(root ? 0700 : 0));
  fs::permissions(folder("given"), fs::perms::all);  // like the folder of the programs during linking
  SandboxSpec spec;
  spec.read_only = {folder("given")};
  spec.scratch = folder("scratch");
  Command command;
  command.dir = spec.scratch;
  command.args = {"sh", "-c", "echo mine >file; read a <file; echo $a; read b <" + (folder_.path() / "given/text").string() + "; echo $b; echo no >" +
                                  (folder_.path() / "given/new").string() + "; read c <" + (folder_.path() / "own/secret").string() + "; echo $c"};
  const Ended ended = run(open.wrap(command, spec));
  fs::permissions(folder_.path() / "own", fs::perms::owner_all);
  EXPECT_EQ(ended.output.rfind("mine\ntext\n", 0), 0u) << ended.output << ended.error;
  EXPECT_EQ(ended.output.find("secret\n"), std::string::npos) << ended.output;
  EXPECT_EQ(fs::exists(folder_.path() / "given/new"), !root);
}

TEST_F(Hostile, LinksAreNotFollowed) {
  fs::create_symlink("/etc/passwd", folder("class/linked/lab01_accept") / "accept.cpp");
  fs::create_directory_symlink(kRoot / "lab02_iocp_register", folder("class/linked") / "lab02_iocp_register");
  const Collected collected = collect({"linked", folder("class/linked")}, Workspace::from_environment().labs, sandbox_, folder("into"));
  EXPECT_TRUE(collected.files.empty());
  ASSERT_EQ(collected.notes.size(), 1u);
  EXPECT_NE(collected.notes[0].find("it is a link"), std::string::npos);

  fs::create_directory_symlink(".", folder("class/loop") / "again");
  std::ofstream(folder("class/loop") / "accept.cpp") << "good";
  std::ofstream(folder("class/loop") / "worker.cpp") << "large";
  fs::resize_file(folder("class/loop") / "worker.cpp", 1u << 30);  // a sparse file: it uses no disk space
  const Collected loop = collect({"loop", folder("class/loop")}, Workspace::from_environment().labs, sandbox_, folder("into-loop"));
  EXPECT_EQ(loop.files.size(), 1u);
  ASSERT_EQ(loop.notes.size(), 1u);
  EXPECT_NE(loop.notes[0].find("larger than 1 MB"), std::string::npos);
}

TEST_F(Hostile, ArchivesAreTakenApartWithCare) {
  const std::vector<Lab> labs = Workspace::from_environment().labs;
  const auto sh = [&](const std::string& script) {
    Command command;
    command.args = {"sh", "-c", script};
    command.dir = folder("archives");
    EXPECT_TRUE(run(command).ok()) << script;
  };
  const auto taken = [&](const std::string& archive) {
    return collect({archive, folder("archives") / archive}, labs, sandbox_, folder("into-" + archive));
  };
  sh("mkdir -p repo/lab01_accept repo/solutions/lab02_iocp_register repo/docs && echo good >repo/lab01_accept/accept.cpp && "
     "echo not >repo/solutions/lab02_iocp_register/iocp_register.cpp && echo more >repo/docs/more.txt && tar czf good.tar.gz repo");
  const Collected good = taken("good.tar.gz");
  ASSERT_EQ(good.files.size(), 1u) << (good.notes.empty() ? "" : good.notes[0]);
  EXPECT_EQ(read_all(good.files.at(1)), "good\n");

  sh("echo evil >accept.cpp && tar czPf up.tar.gz ../archives/accept.cpp && tar czPf absolute.tar.gz \"$PWD/accept.cpp\"");
  EXPECT_TRUE(taken("up.tar.gz").files.empty());
  EXPECT_NE(taken("up.tar.gz").notes.at(0).find(".."), std::string::npos);
  EXPECT_NE(taken("absolute.tar.gz").notes.at(0).find("absolute"), std::string::npos);

  sh("mkdir bomb && head -c 50000000 /dev/zero >bomb/accept.cpp && tar czf bomb.tar.gz bomb && rm -r bomb");
  EXPECT_TRUE(taken("bomb.tar.gz").files.empty());

  // One uncompressed entry: local header, name, text, central directory, end record.
  const auto zip = [&](const std::string& file, const std::string& name, std::uint32_t claimed) {
    const std::string text = "evil\n";
    const auto number = [](std::uint32_t value, int bytes) {
      std::string result;
      for (int i = 0; i < bytes; ++i) result += static_cast<char>(value >> 8 * i & 255);
      return result;
    };
    const std::string common = number(20, 2) + number(0, 8) + number(0x82bf3c1f, 4) + number(5, 4) + number(claimed, 4) +
                               number(static_cast<std::uint32_t>(name.size()), 2) + number(0, 2);
    const std::string entry = "PK\3\4" + common + name + text;
    const std::string directory = "PK\1\2" + number(20, 2) + common + number(0, 2) + number(0, 2) + number(0, 2) + number(0, 4) + number(0, 4) + name;
    std::ofstream(folder("archives") / file, std::ios::binary)
        << entry << directory << "PK\5\6" << number(0, 4) << number(1, 2) << number(1, 2)
        << number(static_cast<std::uint32_t>(directory.size()), 4) << number(static_cast<std::uint32_t>(entry.size()), 4) << number(0, 2);
  };
  zip("good.zip", "repo/lab01_accept/accept.cpp", 5);
  zip("up.zip", "../accept.cpp", 5);
  zip("absolute.zip", "/tmp/accept.cpp", 5);
  zip("bomb.zip", "accept.cpp", 4'000'000'000u);
  EXPECT_EQ(taken("good.zip").files.size(), 1u);
  for (const std::string name : {"up.zip", "absolute.zip", "bomb.zip"}) {
    const Collected refused = taken(name);
    EXPECT_TRUE(refused.files.empty()) << name;
    EXPECT_EQ(refused.notes.size(), 1u) << name;
  }

  // Unusual names: each is a folder with a right file.
  sh("d=$(printf 'a\\n<b>&\"\\033[2J b') && mkdir \"$d\" && echo good >\"$d/accept.cpp\" && tar czf names.tar.gz \"$d\" && mkfifo pipe && "
     "mkdir special && mkfifo special/accept.cpp && tar czf special.tar.gz special");
  EXPECT_EQ(taken("names.tar.gz").files.size(), 1u);
  zip("names.zip", "a\n<b>&\"\033[2J b/accept.cpp", 5);
  EXPECT_EQ(taken("names.zip").files.size(), 1u);
  EXPECT_TRUE(taken("special.tar.gz").files.empty());

  sh("mkdir linked && ln -s /etc/passwd linked/accept.cpp && tar czf linked.tar.gz linked && echo nonsense >broken.zip");
  EXPECT_TRUE(taken("linked.tar.gz").files.empty());
  sh("mkdir hard && echo good >hard/accept.cpp && ln hard/accept.cpp hard/worker.cpp && tar czf hard.tar.gz hard && mkdir many && cd many && "
     "seq 6000 | xargs touch && echo good >accept.cpp && cd .. && tar czf many.tar.gz many");
  EXPECT_TRUE(taken("hard.tar.gz").files.empty());
  EXPECT_NE(taken("many.tar.gz").notes.at(0).find("5000"), std::string::npos);
  EXPECT_TRUE(taken("broken.zip").files.empty());
}

}  // namespace
}  // namespace grader
