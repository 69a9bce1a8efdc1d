// Tests of the formats of a class report, and of their parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "similarity.h"
#include "canvas.h"
#include "failure_summary.h"
#include "child.h"
#include "csv.h"
#include "text_diff.h"
#include "html.h"
#include "pages.h"
#include "points.h"
#include "student_files.h"
#include "timeline_svg.h"

#ifndef _WIN32
#include "gradescope_json.h"
#endif

namespace grader {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LAB_SOURCE_ROOT;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

LabResult lab_with(const std::vector<Verdict>& verdicts, int number = 1) {
  LabResult lab;
  lab.number = number;
  lab.name = number == 1 ? "lab01_accept" : "lab02_iocp_register";
  lab.file = lab.name + "/" + lab.name.substr(6) + ".cpp";
  for (const Verdict verdict : verdicts) {
    lab.tests.emplace_back();
    lab.tests.back().name = "Lab0" + std::to_string(number) + ".T" + std::to_string(lab.tests.size());
    lab.tests.back().points = kPointsPerLab / static_cast<int>(verdicts.size());
    lab.tests.back().verdict = verdict;
  }
  return lab;
}

Grade grade_of(const std::string& name, const std::vector<LabResult>& labs) {
  Grade grade;
  grade.name = name;
  grade.key = "k";
  grade.labs = labs;
  return grade;
}

TEST(SideBySide, PairsWhatChanged) {
  const std::vector<DiffRow> rows = side_by_side("a\nb\nc\nd\n", "a\nB\nd\r\ne\n");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_TRUE(rows[0].same);
  EXPECT_EQ(rows[1].left, "b");
  EXPECT_EQ(rows[1].right, "B");
  EXPECT_EQ(rows[2].left, "c");
  EXPECT_EQ(rows[2].second, 0u);
  EXPECT_TRUE(rows[3].same);
  EXPECT_EQ(rows[3].first, 4u);
  EXPECT_EQ(rows[4].right, "e");
  EXPECT_EQ(rows[4].first, 0u);
}

TEST(SideBySide, UntrustedTextIsBounded) {
  std::string endless, wide(100'000, 'x');
  for (int i = 0; i < 100'000; ++i) endless += "y\n";
  EXPECT_LT(bounded_lines(endless).size(), 10'000u);
  EXPECT_LT(bounded_lines(wide).size(), 1000u);
  EXPECT_TRUE(has(bounded_lines(endless), "98000 more lines"));
  EXPECT_TRUE(has(html_side_by_side("1\n1\n1\n1\n1\n1\n1\n1\na", "1\n1\n1\n1\n1\n1\n1\n1\nb", "a", "b"), ">5 lines are the same<"));
}

TEST(Html, EscapesWhatMeansSomething) {
  EXPECT_EQ(html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
  EXPECT_EQ(html("\xc3\xa9\xed\x95\x9c"), "\xc3\xa9\xed\x95\x9c");
  EXPECT_EQ(html("a\tb\nc\r\n"), "a\tb\nc\n");
}

TEST(Html, ShowsWhatCannotBeSeen) {
  EXPECT_EQ(html("\033[2J"), "\\u{1b}[2J");
  EXPECT_EQ(html("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(html("\xe2\x80\xae"), "\\u{202e}");  // reverses the direction of the text
  EXPECT_EQ(html("\xc0\xbc"), "\\xc0\\xbc");     // "<" in an overlong encoding
  EXPECT_EQ(html(std::string(1, '\0')), "\\u{0}");
  EXPECT_TRUE(has(html(std::string(100, 'x'), 10), "xxxxxxxxxx <small>... cut here"));
}

TEST(FailureSummaries, HasThePartsOfAFailure) {
  TestResult test;
  test.name = "Lab04.X";
  test.verdict = Verdict::wrong;
  test.seed = "7";
  test.output = "story: 1. a client connects\nseed: 7\nstory: 2. it disconnects\nrule: one_recv (N7): two receives\n/a/b.cpp:3: Failure\nFailed\n"
                "rule: one_recv (N7): two receives\nstory: expected the size to be 1, but it was 2\nseen: thread 1 waits\ncause: a lock\n"
                "story: read: N4, N7, lab04_worker/README.md#step-3\n";
  const FailureSummary summary = failure_summary_of(test, "lab04_worker/worker.cpp", 4);
  EXPECT_EQ(summary.steps, (std::vector<std::string>{"1. a client connects", "2. it disconnects"}));
  EXPECT_EQ(summary.rule, "one_recv (N7)");
  EXPECT_EQ(summary.broken, "two receives");
  EXPECT_EQ(summary.expected, "the size to be 1");
  EXPECT_EQ(summary.observed, "it was 2");
  EXPECT_EQ(summary.seen, std::vector<std::string>{"thread 1 waits"});
  EXPECT_EQ(summary.causes, std::vector<std::string>{"a lock"});
  EXPECT_EQ(summary.notes, "N4, N7");
  EXPECT_EQ(summary.handout, "lab04_worker/README.md#step-3");
  EXPECT_EQ(summary.rest, "");
  EXPECT_EQ(summary.replay, "./lab check 4 --test Lab04.X --seed 7");

  test.output = "hello from the student\nstory: expected: find gives the client, but it is false\n";
  EXPECT_EQ(failure_summary_of(test, "lab04_worker/worker.cpp", 4).handout,
            "lab04_worker/README.md#what-failing-tests-mean");
  EXPECT_EQ(failure_summary_of(test, "", 4).expected, "find gives the client");
  EXPECT_EQ(failure_summary_of(test, "", 4).observed, "it is false");
  EXPECT_EQ(failure_summary_of(test, "", 4).rest, "hello from the student\n");
  test.output = "expected\n";
  EXPECT_EQ(failure_summary_of(test, "", 4).expected, "");
}

// Replaces every untrusted text in a page.
const std::string kEvil = "<script>alert(1)</script><b onclick='x'>\"\n\xff";

TEST(Pages, EscapeUntrustedText) {
  LabResult lab = lab_with({Verdict::passed, Verdict::wrong});
  for (std::string* text : {&lab.problem_text, &lab.tests[1].name, &lab.tests[1].reason, &lab.tests[1].output, &lab.tests[1].rule, &lab.tests[1].seed}) *text = kEvil;
  lab.tests[1].output += "\nstory: expected " + kEvil + "\nrule: " + kEvil + "\nseen: " + kEvil + "\nstory: read: N1, " + kEvil + "\nstory: 1. " + kEvil;
  LabResult broken = lab_with({}, 2);
  broken.problem = Problem::build;
  broken.problem_text = kEvil;
  Grade grade = grade_of(kEvil, {lab, broken});
  grade.notes = {kEvil};
  ClassReport report;
  report.labs = {lab.name, broken.name};
  report.platform = report.sandbox = report.seed = kEvil;
  report.grades = {grade};
  report.similar = {{kEvil, kEvil, lab.name, 1}};
  for (const std::string& page : {html_of(report), html_of(StudentPage{report, grade, "/there", {{1, kEvil}}, {{1, kEvil}}})}) {
    EXPECT_FALSE(has(page, "<script")) << page;
    EXPECT_FALSE(has(page, "<b onclick")) << page;
    EXPECT_FALSE(has(page, "\xff"));
    EXPECT_TRUE(has(page, "&lt;script&gt;"));
    EXPECT_TRUE(has(page, "default-src 'none'; style-src 'unsafe-inline'"));
    EXPECT_FALSE(has(page, "http://"));
    EXPECT_FALSE(has(page, "https://"));
    EXPECT_FALSE(has(page, " src="));
  }
}

TEST(Pages, OfAStudentShowTheSolutionOnlyWhenAsked) {
  const Grade grade = grade_of("ann", {lab_with({Verdict::passed})});
  ClassReport report;
  report.labs = {"lab01_accept"};
  const std::string with = html_of(StudentPage{report, grade, "/there", {{1, "mine\n"}}, {{1, "theirs\n"}}});
  const std::string without = html_of(StudentPage{report, grade, "/there", {{1, "mine\n"}}});
  EXPECT_TRUE(has(with, "theirs"));
  EXPECT_TRUE(has(with, "For the instructor"));
  EXPECT_FALSE(has(without, "theirs"));
  EXPECT_FALSE(has(without, "index.html"));
}

TEST(Pages, OfTheClassTellWhatIsMissed) {
  ClassReport report;
  report.labs = {"lab01_accept"};
  LabResult broken = lab_with({Verdict::passed, Verdict::wrong});
  broken.tests[1].rule = "one_recv";
  broken.tests[1].reason = "two receives";
  LabResult missing = lab_with({});
  missing.problem = Problem::missing;
  report.grades = {grade_of("ann", {broken}), grade_of("bob", {broken}), grade_of("eve", {lab_with({Verdict::passed, Verdict::passed})}), grade_of("may", {missing})};
  report.missing = {"zoe"};
  const std::string page = html_of(report);
  EXPECT_TRUE(has(page, "<td class=\"n\">2</td><td class=\"name\">one_recv<br><small>two receives</small></td>")) << page;
  EXPECT_TRUE(has(page, "<td class=\"n\">2 of 3</td><td class=\"name\">Lab01.T2</td><td class=\"name dim\">wrong x2</td>"));
  EXPECT_TRUE(has(page, "mean of those handed in</th><td class=\"n\">66.7</td><td class=\"n\">66.7</td>"));
  EXPECT_TRUE(has(page, "median</th><td class=\"n\">50.0</td><td class=\"n\">50.0</td>"));
  EXPECT_TRUE(has(page, "Not graded yet: 1"));
  EXPECT_TRUE(has(page, "students/" + file_stem("ann") + ".html"));
}

TEST(Pages, OfAStudentLinkATestToItsSummary) {
  ClassReport report;
  const Grade grade = grade_of("ann", {lab_with({Verdict::passed, Verdict::wrong, Verdict::not_run})});
  const std::string page = html_of(StudentPage{report, grade, "/there", {}});
  EXPECT_TRUE(has(page, "<a href=\"#Lab01.T2\">Lab01.T2</a>")) << page;
  EXPECT_TRUE(has(page, "id=\"Lab01.T2\""));
  EXPECT_FALSE(has(page, "#Lab01.T1\""));
  EXPECT_FALSE(has(page, "#Lab01.T3\""));
}

TEST(Pages, HaveSafeFileNames) {
  EXPECT_EQ(file_stem("../<b>\n").substr(0, 8), "___" "_b__-");
  EXPECT_NE(file_stem("a b"), file_stem("a_b"));
  EXPECT_LT(file_stem(std::string(5000, 'x')).size(), 100u);
#ifndef _WIN32
  EXPECT_EQ(file_stem("김 철수").rfind("김_철수-", 0), 0u);
#endif
  EXPECT_EQ(file_stem("\xff\xea\xb9/\xe2\x80\xae").rfind("__-", 0), 0u);  // none of its characters is visible
}

TEST(TimelinePicture, ShowsBarsInTheirLanes) {
  Timeline timeline;
  timeline.lanes = {"thread 1", "client <1>"};
  timeline.spans = {{0, "WSARecv", "client 1", 0, 5, false, false}, {1, "<recv>", "operation 1", 2, 4'000'000, false, true}, {0, "WSASend", "", 3'999'000, 4, true, false}};
  const std::string text = html_timeline(timeline);
  EXPECT_TRUE(has(text, "<svg")) << text;
  EXPECT_TRUE(has(text, "client &lt;1&gt;"));
  EXPECT_FALSE(has(text, "<recv>"));
  EXPECT_TRUE(has(text, "class=\"span failed\""));
  EXPECT_TRUE(has(text, "class=\"span open\""));
  EXPECT_TRUE(has(text, "WSASend, at 4.00 s, for 4 us, failed"));
}

TEST(TimelinePicture, LeavesOutWhatIsUnsoundOrTooMuch) {
  EXPECT_EQ(html_timeline({}), "");
  Timeline timeline;
  timeline.lanes = {"thread 1"};
  timeline.spans = {{7, "no such lane", "", 0, 1, false, false}};
  EXPECT_EQ(html_timeline(timeline), "");
  for (int i = 0; i < 100'000; ++i) timeline.spans.push_back({0, "WSARecv", std::string(1000, 'x'), double(i), 1, false, false});
  EXPECT_LT(html_timeline(timeline).size(), 500'000u);
  EXPECT_TRUE(has(html_timeline(timeline), "99601 more bars are left out"));
}

// Disguises a copy of another student's file: other names, layout and comments.
std::string disguised(std::string text) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  };
  replace("\n  ", "\n\t  ");
  replace("{\n", "\n{\n// my own work\n");
  replace("client", "guest");
  replace("socket", "handle");
  replace("table", "book");
  replace(", ", ",");
  return text;
}

TEST(Similarity, CopiesAreFoundAndIndependentWorkIsNot) {
  const fs::path right = kRoot / "tests/mutants/lab01_accept";
  SimilaritySearch search;
  search.add_given(1, read_text(kRoot / "lab01_accept/accept.cpp"));
  const std::vector<std::string> texts = {read_text(right / "right_beginner.cpp"), read_text(right / "right_c_style.cpp"), disguised(read_text(right / "right_beginner.cpp"))};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_FALSE(texts[i].empty());
    search.add(i, 1, texts[i]);
  }
  const std::vector<SimilarPair> pairs = search.pairs();
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].first, 0u);
  EXPECT_EQ(pairs[0].second, 2u);
  EXPECT_GT(pairs[0].share, 0.95);
}

TEST(Similarity, GivenCodeIsIgnored) {
  const std::string starter = read_text(kRoot / "lab01_accept/accept.cpp"), solution = read_text(kRoot / "solutions/lab01_accept/accept.cpp");
  SimilaritySearch search;
  search.add_given(1, starter);
  search.add_given(2, solution);
  for (std::size_t i = 0; i < 3; ++i) {
    search.add(i, 1, starter);
    search.add(i, 2, solution);
  }
  EXPECT_TRUE(search.pairs().empty());

  SimilaritySearch large;  // most of the class has it, so it has a common source
  for (std::size_t i = 0; i < 10; ++i) large.add(i, 1, solution);
  EXPECT_TRUE(large.pairs().empty());
}

TEST(Similarity, AcceptsTextThatIsNotCode) {
  EXPECT_TRUE(fingerprint_of("").empty());
  EXPECT_TRUE(fingerprint_of("/* no end").empty());
  EXPECT_TRUE(fingerprint_of("// a\n#define X \"").empty());
  EXPECT_EQ(fingerprint_of("int a = 1; return a + b * (c - d) / e[f];"), fingerprint_of("int/**/x=0x22;\n return x+y*(z-w) /q[r] ;  // other"));
  EXPECT_LT(fingerprint_of(std::string(2'000'000, ';')).size(), 10u);
  std::string endless;
  for (int i = 0; i < 1'000'000; ++i) endless += i % 3 == 0 ? "if(a)" : i % 7 == 0 ? "{" : "x+";
  EXPECT_LT(fingerprint_of(endless).size(), 20'000u);
}

TEST(Csv, IsReadAsSpreadsheetsWriteIt) {
  const std::string text = "\xef\xbb\xbf" "a,\"b, \"\"c\"\"\nd\",\r\n,e,f";
  const std::vector<CsvRow> rows = read_csv(text);
  ASSERT_EQ(rows.size(), 2u);
  ASSERT_EQ(rows[0].size(), 3u);
  EXPECT_EQ(rows[0][0].text, "a");
  EXPECT_EQ(rows[0][1].text, "b, \"c\"\nd");
  EXPECT_EQ(rows[0][2].text, "");
  ASSERT_EQ(rows[1].size(), 3u);
  EXPECT_EQ(rows[1][2].text, "f");
  EXPECT_EQ(text.substr(rows[0][1].begin, rows[0][1].end - rows[0][1].begin), "\"b, \"\"c\"\"\nd\"");
  EXPECT_EQ(read_csv("a,\"never closed").at(0).at(1).text, "never closed");
  EXPECT_EQ(read_csv("a,").at(0).size(), 2u);
  EXPECT_TRUE(read_csv("").empty());
}

class Canvas : public testing::Test {
 protected:
  Canvas() { report_.labs = {"lab01_accept", "lab02_iocp_register"}; }
  FilledGradebook filled() const { return fill(read_gradebook(text_), report_); }
  static bool noted(const FilledGradebook& filled, const std::string& part) {
    return std::any_of(filled.notes.begin(), filled.notes.end(), [&](const std::string& note) { return has(note, part); });
  }
  ClassReport report_;
  std::string text_ =
      "\xef\xbb\xbf" "Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (501),Lab 01 Current Score,\"Lab 2: \"\"register\"\" (502)\",Final\r\n"
      "    Points Possible,,,,,100,(read only),10,\r\n"
      "\"Lovelace, Ann\",11,s11,ann,A,,,\"\",=1+1\r\n"
      "\"Builder, Bob\",12,s12,bob@x.edu,A,7,,3,\r\n"
      "\"Test, Student\",13,,12,A,,,,\r\n";
};

TEST_F(Canvas, OnlyTheCellsOfALabChange) {
  report_.grades = {grade_of("lovelaceann_11_999_mine", {lab_with({Verdict::passed, Verdict::wrong}), lab_with({Verdict::passed, Verdict::passed, Verdict::wrong, Verdict::wrong}, 2)}),
                    grade_of("BOB@x.edu", {lab_with({Verdict::passed}), lab_with({Verdict::wrong}, 2)})};
  const FilledGradebook result = filled();
  EXPECT_EQ(result.cells, 4u);
  std::string expected = text_;
  expected.replace(expected.find("A,,,\"\","), 7, "A,50,,5,");
  expected.replace(expected.find("A,7,,3,"), 7, "A,100,,0,");
  EXPECT_EQ(result.csv, expected);
  EXPECT_TRUE(noted(result, "Test, Student has no submission"));
  report_.missing = {"13"};  // an interruption left it ungraded
  EXPECT_FALSE(noted(filled(), "Test, Student has no submission"));
}

TEST_F(Canvas, AnAmbiguousNameFillsNothing) {
  LabResult missing = lab_with({}, 2);
  missing.problem = Problem::missing;
  // Bob's ID, and the login of another
  report_.grades = {grade_of("12", {lab_with({Verdict::passed}), missing}),
                    grade_of("unknown", {lab_with({Verdict::passed}), missing}),
                    grade_of("lovelaceann_LATE_11_1_a", {lab_with({Verdict::passed}), missing}),
                    grade_of("lovelaceann_11_2_b", {lab_with({Verdict::wrong}), missing})};
  const FilledGradebook result = filled();
  EXPECT_EQ(result.cells, 0u);
  EXPECT_EQ(result.csv, text_);
  EXPECT_TRUE(noted(result, "12 may be of 2 students"));
  EXPECT_TRUE(noted(result, "unknown matches no student"));
  EXPECT_TRUE(noted(result, "Lovelace, Ann, lab 1 is in more than one submission"));
}

TEST_F(Canvas, AFileThatIsNotAGradebookIsRejected) {
  EXPECT_THROW(read_gradebook(""), UsageError);
  EXPECT_THROW(read_gradebook("name,points\n"), UsageError);
  EXPECT_THROW(read_gradebook("Student,ID\nPoints Possible,\n"), UsageError);
  EXPECT_THROW(read_gradebook("Student,ID,Lab 1 (5)\nAnn,1,\n"), UsageError);
  text_.replace(text_.find("Lab 01 Current Score"), 20, "Lab 1 again (503)");
  report_.grades = {grade_of("ann", {lab_with({Verdict::passed}), lab_with({Verdict::passed}, 2)})};
  const FilledGradebook result = filled();
  EXPECT_TRUE(noted(result, "lab 1 has more than one column"));
  EXPECT_EQ(result.cells, 1u);
}

#ifndef _WIN32
TEST(Gradescope, HasAnEntryForEachTest) {
  LabResult lab = lab_with({Verdict::passed, Verdict::wrong});
  lab.tests[1].output = "story: expected more\n/there/tests/x.cpp:3: Failure\n" + kEvil;
  lab.tests[1].seed = "7";
  LabResult missing = lab_with({}, 2);
  missing.problem = Problem::missing;
  missing.problem_text = "not there";
  const std::string json = to_gradescope(grade_of("ann", {lab, missing}), "/there");
  EXPECT_TRUE(has(json, "{\n \"score\": 50,\n")) << json;
  EXPECT_TRUE(has(json, "\"number\": \"1.2\",\n   \"name\": \"Lab01.T2\",\n   \"score\": 0,\n   \"max_score\": 50,\n   \"status\": \"failed\""));
  EXPECT_TRUE(has(json, "lab02_iocp_register: not handed in"));
  EXPECT_TRUE(has(json, "replay: ./lab check 1 --test Lab01.T2 --seed 7"));
  EXPECT_TRUE(has(json, "\"output_format\": \"text\""));  // so Gradescope shows untrusted text unchanged
  EXPECT_FALSE(has(json, "after_published"));
  EXPECT_TRUE(has(to_gradescope(grade_of("ann", {lab}), "/there", {"Lab01.T2"}), "after_published"));
  EXPECT_FALSE(has(json, "/there"));
  EXPECT_FALSE(has(json, "\xff"));
}
#endif

}  // namespace
}  // namespace grader
