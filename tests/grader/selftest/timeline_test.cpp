// Tests of reading untrusted timelines, and of keeping the timeline of a failed test.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "child.h"
#include "runner.h"
#include "test_programs.h"
#include "timeline.h"
#include "timeline_text.h"

namespace grader {
namespace {

const std::string kFile =
    "[{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"threads\"}}      \n"
    ",{\"ph\":\"M\",\"pid\":1,\"name\":\"process_labels\",\"args\":{\"labels\":\"some events are left out\",\"left_out\":5}}\n"
    ",{\"ph\":\"M\",\"pid\":1,\"tid\":2,\"name\":\"thread_name\",\"args\":{\"name\":\"thread 2\"}}\n"
    "                                  \n"
    ",{\"ph\":\"M\",\"pid\":2,\"tid\":17,\"name\":\"thread_name\",\"args\":{\"name\":\"client 1: receives\"}}\n"
    ",{\"ph\":\"X\",\"pid\":2,\"tid\":17,\"ts\":30.5,\"dur\":20,\"name\":\"receive\",\"args\":{\"client\":1,\"operation\":7,\"bytes\":12}}\n"
    ",{\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":10.5,\"dur\":1.25,\"name\":\"WSASend\",\"args\":{\"client\":1,\"failed\":1,\"error\":64}}\n"
    ",{\"ph\":\"B\",\"pid\":1,\"tid\":2,\"ts\":40.5,\"name\":\"GetQueuedCompletionStatus\",\"args\":{}}\n"
    "]\n";

TEST(Timelines, AreReadInTheOrderOfTheirStarts) {
  const std::optional<Timeline> timeline = parse_timeline(kFile);
  ASSERT_TRUE(timeline.has_value());
  EXPECT_EQ(timeline->lanes, (std::vector<std::string>{"thread 2", "client 1: receives"}));
  EXPECT_EQ(timeline->left_out, 5u);
  ASSERT_EQ(timeline->spans.size(), 3u);
  const Span& send = timeline->spans[0];
  EXPECT_EQ(send.name, "WSASend");
  EXPECT_EQ(send.detail, "client 1, error 64");
  EXPECT_EQ(send.lane, 0u);
  EXPECT_EQ(send.start, 0);
  EXPECT_EQ(send.length, 1.25);
  EXPECT_TRUE(send.failed);
  const Span& receive = timeline->spans[1];
  EXPECT_EQ(receive.lane, 1u);
  EXPECT_EQ(receive.start, 20);
  EXPECT_EQ(receive.detail, "client 1, operation 7, 12 bytes");
  EXPECT_FALSE(receive.open || receive.failed);
  EXPECT_TRUE(timeline->spans[2].open);
}

TEST(Timelines, AFileThatWasCutIsReadUpToThere) {
  for (std::size_t size = 0; size < kFile.size(); ++size) {
    const std::optional<Timeline> timeline = parse_timeline(kFile.substr(0, size));
    EXPECT_LE(timeline ? timeline->spans.size() : 0, 3u);
  }
  const std::optional<Timeline> most = parse_timeline(kFile.substr(0, kFile.size() - 10));
  ASSERT_TRUE(most.has_value());
  EXPECT_EQ(most->spans.size(), 2u);
}

TEST(Timelines, OtherTextIsNotATimeline) {
  for (const std::string text : {"", "[]", "{}", "[1,2,3]", "hello", "\n\n\n", "[{\"ph\":\"X\"", "[{\"ph\":5}\n]", "[null\n,[]\n,\"X\"\n]"}) {
    EXPECT_FALSE(parse_timeline(text).has_value()) << text;
    EXPECT_EQ(tidy_timeline(text), "") << text;
  }
}

TEST(Timelines, UntrustedTextIsHarmless) {
  const std::string event = "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1,\"dur\":1,\"name\":\"a\"}\n";
  const std::string hostile =
      event + std::string(100'000, '[') + "\n" +
      "{\"ph\":\"X\",\"pid\":-1,\"tid\":1e300,\"ts\":\"1\",\"dur\":-5,\"name\":\"\\u001b[31m\\u0000<b>\\u00e9\",\"args\":[1]}\n"
      "{\"ph\":\"B\",\"pid\":{},\"tid\":null,\"ts\":1e300,\"name\":7,\"args\":{\"client\":\"x\",\"bytes\":-3}}\n" +
      "{\"ph\":\"X\",\"name\":\"" + std::string(500, 'n') + "\"}\n" + "{\"ph\":\"M\",\"name\":\"thread_name\",\"args\":{\"name\":5}}\n\xff\xfe{\"ph\":\"X\"}\n";
  const std::optional<Timeline> timeline = parse_timeline(hostile);
  ASSERT_TRUE(timeline.has_value());
  ASSERT_EQ(timeline->spans.size(), 3u);
  for (const Span& span : timeline->spans) {
    EXPECT_LT(span.lane, timeline->lanes.size());
    EXPECT_GE(span.start, 0);
    EXPECT_GE(span.length, 0);
    for (const std::string& text : {span.name, span.detail, timeline->lanes.at(span.lane)}) {
      EXPECT_LE(text.size(), 200u);
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) << text;
    }
  }
  std::string flood, lanes;
  while (flood.size() < 4 * kMostTimeline) flood += event;
  EXPECT_LE(parse_timeline(flood)->spans.size(), 4000u);
  EXPECT_LE(tidy_timeline(flood).size(), kMostTimeline);
  for (int i = 0; i < 3000; ++i) lanes += "{\"ph\":\"i\",\"pid\":1,\"tid\":" + std::to_string(i) + ",\"ts\":1,\"name\":\"a\"}\n";
  EXPECT_LE(parse_timeline(lanes)->lanes.size(), 128u);
}

TEST(Timelines, ATidyOneSaysTheSameInLess) {
  const std::string tidy = tidy_timeline(kFile);
  EXPECT_LT(tidy.size(), kFile.size());
  EXPECT_EQ(tidy.find("  "), std::string::npos);
  const std::optional<Timeline> before = parse_timeline(kFile), after = parse_timeline(tidy);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->lanes, before->lanes);
  ASSERT_EQ(after->spans.size(), before->spans.size());
  for (std::size_t i = 0; i < after->spans.size(); ++i) EXPECT_EQ(after->spans[i].detail, before->spans[i].detail);
  EXPECT_EQ(tidy_timeline(tidy), tidy);
}

TEST(Timelines, LanesShowWaitsAndFailures) {
  const std::vector<std::string> rows = lanes_of(*parse_timeline(kFile));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], "thread 2               !! --");  // begin and end of the send, of the receive; the wait
  EXPECT_EQ(rows[1], "client 1: receives       ===");
}

TEST(Timelines, LinesAreOrderedByTheirEndsAndFit) {
  const std::vector<std::string> lines = lines_of(*parse_timeline(kFile), 100);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "       1.2  thread 2   WSASend                          1.2  client 1, error 64");
  EXPECT_EQ(lines[1], "      30.0  thread 2   GetQueuedCompletionStatus             waits");
  EXPECT_EQ(errors_of(*parse_timeline(kFile)), std::vector<std::string>{"error 64: ERROR_NETNAME_DELETED"});

  Timeline large;
  for (int lane = 0; lane < 100; ++lane) large.lanes.push_back("a lane with a name that is really long " + std::to_string(lane));
  for (int i = 0; i < 3000; ++i) large.spans.push_back({static_cast<std::size_t>(i % 100), std::string(80, 'n'), std::string(90, 'd'), i * 1e5, 1e8, false, i % 7 == 0});
  EXPECT_EQ(lines_of(large, 150).size(), 151u);
  for (const std::string& line : lines_of(large, 150)) EXPECT_LE(line.size(), 100u);
  EXPECT_LE(lanes_of(large).size(), 25u);
  for (const std::string& row : lanes_of(large)) EXPECT_LE(row.size(), 100u);
  EXPECT_TRUE(lines_of({}, 150).empty());
  EXPECT_TRUE(lanes_of({}).empty());
}

TestResult recorded(const std::string& name, TestProgram::Timeline whose) {
  TestProgram program{fake_program(), Platform{}};
  program.timeline = whose;
  TestResult result;
  result.name = name;
  run_tests({{&program, 2, &result}}, 1, [](std::size_t) {});
  return result;
}

TEST(Timelines, AFailureKeepsItsOwn) {
  using Of = TestProgram::Timeline;
  for (const std::string name : {"Fake.RecordsAndFails", "Fake.RecordsAndAborts", "Fake.RecordsAndHangs"}) {
    const TestResult result = recorded(name, Of::of_failures);
    EXPECT_FALSE(result.passed()) << name;
    const std::optional<Timeline> timeline = parse_timeline(result.timeline);
    ASSERT_TRUE(timeline.has_value()) << name << ": " << result.output;
    EXPECT_EQ(timeline->spans.at(0).name, "WSARecv") << name;
  }
  EXPECT_EQ(recorded("Fake.RecordsAndPasses", Of::of_failures).timeline, "");
  EXPECT_NE(recorded("Fake.RecordsAndPasses", Of::of_all).timeline, "");
  EXPECT_EQ(recorded("Fake.RecordsAndFails", Of::of_none).timeline, "");
}

}  // namespace
}  // namespace grader
