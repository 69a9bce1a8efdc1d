// Tests of the students' copy: nothing in it reveals an answer, and it works.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "child.h"
#include "handout.h"
#include "student_files.h"

namespace grader {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LAB_TEST_ROOT;
const fs::path kTool = fs::path(LAB_TEST_BUILD) / "linux/bin/lab_tool";

TEST(Handout, LeavesOutWhatGivesAnswersAway) {
  for (const std::string file : {"solutions/lab01_accept/accept.cpp", "tests/mutants/lab01_accept/x.cpp", "tests/grader/selftest/hostile/README.md",
                                 "tests/grader/selftest/hostile_test.cpp", "tests/bench/main.cpp", "CONTRIBUTING.md", ".git/HEAD", "build/log/x.log", "lab01_accept/accept.cpp.bak-1"}) {
    EXPECT_FALSE(is_for_students(file)) << file;
  }
  for (const std::string file : {"lab", "README.md", "lab01_accept/accept.cpp", "tests/lab01_accept_test.cpp", "tests/support/seam_test.cpp", "tests/grader/commands/main.cpp"}) {
    EXPECT_TRUE(is_for_students(file)) << file;
  }
}

TEST(Handout, AHiddenTestIsCutOut) {
  const std::string source = "int helper();\n\n// Stays.\n\n// Removed,\n// too.\nLAB_TEST(Lab01, B, \"N5\", kTable) {\n  if (x) {\n  }\n}\n\n// C is here.\nLAB_TEST(Lab01, BAndMore, \"N5\", kTable) {\n}\n";
  EXPECT_EQ(without_test(source, "Lab01.B"), "int helper();\n\n// Stays.\n\n\n// C is here.\nLAB_TEST(Lab01, BAndMore, \"N5\", kTable) {\n}\n");
  EXPECT_THROW(without_test(source, "Lab01.C"), GraderError);
  EXPECT_EQ(without_row("| `A` | x |\n| `B` | y |\n`B` |\n", "Lab01.B"), "| `A` | x |\n`B` |\n");
}

TEST(Handout, ItsManifestHasThePointsOfHiddenTestsAndNoName) {
  const std::string open = R"({"lab01_accept": {"tests": [{"name": "Lab01.A", "points": 100}]}})";
  EXPECT_EQ(points_for_students(open), open);
  const PrivateFolder folder;
  const fs::path file = folder.path() / "points.json";
  std::ofstream(file) << points_for_students(R"({"lab01_accept": {"tests": [{"name": "Lab01.A", "points": 90}, {"name": "Lab01.B", "points": 10, "hidden": true}]}})");
  EXPECT_EQ(read_text(file).find("Lab01.B"), std::string::npos);
  EXPECT_EQ(left_out_points(file, "lab01_accept"), 10);
  EXPECT_EQ(read_points(file, "lab01_accept").size(), 1u);
  EXPECT_EQ(without_evidence(R"({"Lab01.A": ["a check"], "Lab01.B": ["another one"]})", "Lab01.B"), "{\n \"Lab01.A\": [\n  \"a check\"\n ]\n}\n");
}

TEST(Handout, MarkedLinesAndSectionsAreRemoved) {
  EXPECT_EQ(text_for_students("# A\n| row <!-- instructor --> |\n## B <!-- instructor -->\ntext\n### C\ntext\n## D\n#no heading\n"), "# A\n## D\n#no heading\n");
}

// Returns all sequences of four lines that are long enough to identify their author.
std::set<std::string> passages(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t at = line.find_first_not_of(" \t");
    if (at != std::string::npos && line.size() - at > 12 && line.compare(at, 2, "//") != 0 && line[at] != '#') lines.push_back(line.substr(at));
  }
  std::set<std::string> all;
  for (std::size_t i = 0; i + 3 < lines.size(); ++i) all.insert(lines[i] + "\n" + lines[i + 1] + "\n" + lines[i + 2] + "\n" + lines[i + 3]);
  return all;
}

// The complete process: a checkout with hidden tests, its handout, and the student's work in it.
class HandoutWorks : public testing::Test {
 protected:
  Ended lab(const fs::path& root, std::vector<std::string> args) {
    Command command;
    command.args = {kTool.string()};
    command.args.insert(command.args.end(), args.begin(), args.end());
    command.env = {{"LAB_ROOT", root.string()}, {"LAB_BUILD_DIR", (root / "build").string()}};
    command.limit = 800;
    return run(command);
  }
  void expect(const std::vector<std::string>& args, int code, const std::string& text) {
    const Ended ended = lab(out(), args);
    EXPECT_EQ(ended.code, code) << ended.output;
    EXPECT_NE(ended.output.find(text), std::string::npos) << text << "\n" << ended.output;
  }
  fs::path checkout() const { return folder_.path() / "checkout"; }
  fs::path out() const { return folder_.path() / "course"; }

  const PrivateFolder folder_;
};

TEST_F(HandoutWorks, FromTheFirstTodoToFullPoints) {
  fs::create_directory(checkout());
  // There is no git, so the list is that of the folder
  for (const fs::directory_entry& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename().string();
    if (name == ".git" || name == "build" || fs::equivalent(entry.path(), fs::path(LAB_TEST_BUILD))) continue;
    fs::copy(entry.path(), checkout() / name, fs::copy_options::recursive);
  }
  nlohmann::ordered_json points = nlohmann::ordered_json::parse(read_text(kRoot / "tests/points.json"));
  int hidden = 0;
  for (nlohmann::ordered_json& test : points.at("lab01_accept").at("tests")) {
    if (test.at("name") != "Lab01.AcceptFailsInEveryWay" && test.at("name") != "Lab01.SnapshotIsInTheOrderOfTheIds") continue;
    test["hidden"] = true;
    hidden += test.at("points").get<int>();
  }
  std::ofstream(checkout() / "tests/points.json") << points.dump(1);

  fs::copy_file(kRoot / "solutions/lab02_iocp_register/iocp_register.cpp", checkout() / "lab02_iocp_register/iocp_register.cpp", fs::copy_options::overwrite_existing);
  EXPECT_EQ(lab(checkout(), {"handout", out().string()}).code, kExitGraderError) << "an answer in place of a starter is not handed out";
  fs::remove_all(out());
  fs::copy_file(kRoot / "lab02_iocp_register/iocp_register.cpp", checkout() / "lab02_iocp_register/iocp_register.cpp", fs::copy_options::overwrite_existing);
  const Ended made = lab(checkout(), {"handout", out().string(), "--zip"});
  ASSERT_TRUE(made.ok()) << made.output;
  EXPECT_GT(fs::file_size(out().string() + ".zip"), 100'000u);
  EXPECT_EQ(lab(checkout(), {"handout", out().string()}).code, kExitBadUsage) << "a folder that is not empty is left alone";

  std::set<std::string> secrets;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / "solutions")) {
    const std::string file = entry.path().lexically_relative(kRoot / "solutions").generic_string();
    if (entry.path().extension() != ".cpp") continue;
    for (const std::string& passage : passages(read_text(entry.path()))) secrets.insert(passage);
    for (const std::string& passage : passages(read_text(kRoot / file))) secrets.erase(passage);  // from the starter
  }
  ASSERT_GT(secrets.size(), 100u);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(out())) {
    const std::string file = entry.path().lexically_relative(out()).generic_string();
    EXPECT_EQ(file.find("mutants/"), std::string::npos) << file;
    // Hints.json shows lines intentionally
    if (!entry.is_regular_file() || entry.path().filename() == "hints.json") continue;
    const std::string text = read_text(entry.path());
    for (const std::string name : {"AcceptFailsInEveryWay", "SnapshotIsInTheOrderOfTheIds"}) EXPECT_EQ(text.find(name), std::string::npos) << file;
    for (const std::string& passage : passages(text)) EXPECT_EQ(secrets.count(passage), 0u) << file << "\n" << passage;
  }

  expect({"check", "1"}, kExitNotFull, "not started");
  fs::copy_file(kRoot / "solutions/lab01_accept/accept.cpp", out() / "lab01_accept/accept.cpp", fs::copy_options::overwrite_existing);
  const std::string most = std::to_string(100 - hidden);
  expect({"check", "1"}, kExitFull, most + "/" + most);
  expect({"check", "1"}, kExitFull, "up to " + std::to_string(hidden) + " points by tests that this copy of the course does not have");
  expect({"status"}, kExitFull, "full points");
  expect({"reset", "1", "--yes"}, kExitFull, "is the starter again");
  expect({"check", "2"}, kExitNotFull, "over your own lab 1: this copy of the course has no reference");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"diff", "1"}, {"check", "1", "--solutions"}, {"test"}, {"test", "--soak", "1"},
                                                    {"grade", "."}, {"bench"}, {"run", "1", "--solution"}, {"handout", "x"}}) {
    expect(args, kExitBadUsage, "this copy of the course does not have");
  }
}

}  // namespace
}  // namespace grader
