#include "runner.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <random>
#include <span>

#include "../../support/base/order.h"
#include "parallel_for.h"
#include "progress.h"
#include "timeline.h"

namespace grader {

namespace {

constexpr double kListLimit = 300;  // Wine may have to be set up at its first start

std::string read_file(const std::filesystem::path& file, std::size_t most = 16 << 20) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  char piece[4096];
  while (text.size() < most && (stream.read(piece, sizeof piece), stream.gcount() > 0)) text.append(piece, static_cast<std::size_t>(stream.gcount()));
  return text;
}

// Returns 16 hexadecimal digits.
std::string random_digits() {
  static std::random_device random;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  char digits[32];
  std::snprintf(digits, sizeof digits, "%08x%08x", static_cast<unsigned>(random()), static_cast<unsigned>(random()));
  return digits;
}

// Returns a random file name. A report that was written before the test ran cannot have this name.
std::string secret_name(const std::string& what) { return what + "-" + random_digits() + ".json"; }

struct Files {
  std::string report;    // GoogleTest's
  std::string timeline;  // in its raw form
  std::string key;       // the key that the program received to seal its report
};

// Runs the program in its own folder. GoogleTest's report is a file in it, so no other report can be mistaken for it.
Ended run_program(const TestProgram& program, const std::string& option, double limit, Files& read) {
  const PrivateFolder folder;
  const bool records = program.timeline != TestProgram::Timeline::of_none;
  const std::filesystem::path report_file = folder.path() / secret_name("report");
  const std::filesystem::path timeline_file = folder.path() / secret_name("timeline");
  Command command;
  command.args = program.platform.runner;
  command.args.push_back(program.file.string());
  command.args.push_back(option);
  command.args.push_back("--gtest_output=json:" + report_file.filename().string());
  command.args.push_back("--gtest_color=no");
  command.dir = folder.path();
  command.env = program.platform.env;
  read.key = random_digits() + random_digits();
  command.env.emplace_back("LAB_KEY", read.key);
  if (records) command.env.emplace_back("LAB_TIMELINE", timeline_file.filename().string());
  command.limit = limit;
  if (program.guard) {
    std::vector<std::filesystem::path> files = {report_file};
    if (records) files.push_back(timeline_file);
    for (const std::filesystem::path& file : files) {
      std::ofstream(file).close();
      std::filesystem::permissions(file, std::filesystem::perms::all);
    }
    command = program.guard(command, folder.path(), files);
  }
  Ended ended = run(command);
  read.report = read_file(report_file);
  if (records) read.timeline = read_file(timeline_file, kMostTimeline);
  return ended;
}

TestResult run_once(const TestRun& run, const std::string& seed) {
  TestResult result = *run.result;
  result.platform = run.program->platform.name;
  try {
    TestProgram program = *run.program;
    if (!seed.empty()) program.platform.env.emplace_back("LAB_SEED", seed);
    Files read;
    const Ended ended =
        run_program(program, "--gtest_filter=" + result.name, run.limit * program.platform.timeout_scale, read);
    judge(ended, read.report, program.platform.sanitized, result, {read.key, has_evidence(program.platform) ? run.places : nullptr});
    const bool failed = !result.passed() && result.verdict != Verdict::not_started;
    if (failed || program.timeline == TestProgram::Timeline::of_all) result.timeline = tidy_timeline(read.timeline);
  } catch (const std::exception& error) {
    result.verdict = Verdict::grader_error;
    result.reason = error.what();
  }
  return result;
}

// Returns whether the failure is cheap to repeat and cannot occur in a right program.
bool worth_running_again(Verdict verdict) {
  return verdict == Verdict::wrong || verdict == Verdict::crash || verdict == Verdict::race || verdict == Verdict::leak;
}

std::optional<test::Order> order_of(const TestResult& test) {
  return test::Order::parse(test.decisions.empty() ? test.seed : test.decisions);
}

TestResult run_one(const TestRun& run) {
  TestResult first = run_once(run, "");
  if (!worth_running_again(first.verdict)) return first;
  int runs = 1, failed = 1;
  for (int i = 0; i < run.more_runs && !interrupted(); ++i) {
    const TestResult again = run_once(run, first.seed);
    if (again.verdict == Verdict::not_run) break;
    ++runs;
    failed += again.passed() ? 0 : 1;
    first.seconds += again.seconds;
    if (again.verdict == Verdict::hang) break;
  }
  if (failed < runs) {
    first.verdict = Verdict::inconsistent;
    first.reason = "it failed " + std::to_string(failed) + " of " + std::to_string(runs) + " runs: " + first.reason;
  }
  return first;
}

}  // namespace

bool can_shrink(const TestResult& test) {
  const std::optional<test::Order> order = order_of(test);
  return worth_running_again(test.verdict) && order && order->planned;
}

int shrink(const TestRun& run, double seconds) {
  TestResult& smallest = *run.result;
  std::optional<test::Order> order = order_of(smallest);
  if (!can_shrink(smallest)) return 0;
  int tried = 0;
  const Clock::time_point start = Clock::now();
  const auto fails = [&](const test::Order& one) {
    ++tried;
    const TestResult again = run_once(run, one.text());
    if (again.verdict != smallest.verdict || again.rule != smallest.rule) return false;
    const double spent = smallest.seconds;
    smallest = again;
    smallest.seconds += spent;
    return true;
  };
  // Delta debugging: removes half of the deviations, then quarters, down to single ones.
  for (std::size_t part = order->planned->size(); part > 0; part /= 2) {
    for (std::size_t at = order->planned->size(); at > 0 && !interrupted() && since(start) < seconds;) {
      const std::size_t from = at > part ? at - part : 0;
      test::Order fewer = *order;
      fewer.planned->erase(fewer.planned->begin() + static_cast<std::ptrdiff_t>(from), fewer.planned->begin() + static_cast<std::ptrdiff_t>(at));
      if (fails(fewer)) *order = fewer;
      at = from;
    }
  }
  return tried;
}

std::vector<std::string> list_tests(const TestProgram& program, std::string& why) {
  Files read;
  TestProgram plain = program;
  plain.timeline = TestProgram::Timeline::of_none;
  const Ended ended = run_program(plain, "--gtest_list_tests", kListLimit, read);
  std::vector<std::string> names;
  if (const auto tests = parse_report(read.report)) {
    for (const Reported& test : *tests) {
      if (test.name.find("DISABLED_") == std::string::npos) names.push_back(test.name);
    }
  }
  why = names.empty() ? ended.error + ended.output + "(" + describe_end(ended) + ")" : "";
  return names;
}

namespace {

// Runs the tests of one program. Returns whether all of them pass; otherwise changes no verdict and sets `why` to what
// failed.
bool pass_in_one_process(std::span<const TestRun> runs, std::string& why) {
  const TestProgram& program = *runs.front().program;
  std::string filter = "--gtest_filter=";
  double limit = 0;
  std::vector<TestResult*> results;
  std::vector<Evidence> evidence;
  for (const TestRun& run : runs) {
    filter += run.result->name + ":";
    limit += run.limit * program.platform.timeout_scale;
    run.result->platform = program.platform.name;
    results.push_back(run.result);
  }
  Files read;
  const Ended ended = run_program(program, filter, limit, read);
  why = describe_end(ended) + "\n" + ended.output;
  for (const TestRun& run : runs) evidence.push_back({read.key, run.places});
  return judge_together(ended, read.report, program.platform.sanitized, results, evidence);
}

void run_group(std::span<const TestRun> runs) {
  std::string first_why, second_why;
  if (runs.size() > 1 && pass_in_one_process(runs, first_why)) return;
  for (const TestRun& run : runs) {
    if (interrupted()) return;
    *run.result = run_one(run);
  }
  const auto passed = [](const TestRun& run) { return run.result->passed(); };
  if (runs.size() == 1 || !std::all_of(runs.begin(), runs.end(), passed)) return;
  if (!pass_in_one_process(runs, second_why)) return;  // the result depends on earlier tests, each time
  TestResult& first = *runs.front().result;
  first.verdict = Verdict::inconsistent;
  first.reason = "the tests of this program failed in one process, then passed each alone and in one process";
  first.output = first_why;
}

}  // namespace

namespace {

// Counts completed tests. May be called from several threads.
class Counter {
 public:
  explicit Counter(const Done& on_done) : on_done_(on_done) {}
  void add(std::size_t more) {
    std::lock_guard lock(mutex_);
    on_done_(done_ += more);
  }

 private:
  std::mutex mutex_;  // protects done_, and orders the calls of on_done_
  std::size_t done_ = 0;
  const Done& on_done_;
};

Done shown_by(Progress& progress, std::size_t all) {
  progress.detail("0/" + std::to_string(all));
  return [&progress, all](std::size_t done) { progress.detail(std::to_string(done) + "/" + std::to_string(all)); };
}

}  // namespace

void run_tests(const std::vector<TestRun>& runs, unsigned jobs, const Done& on_done) {
  Counter counter(on_done);
  parallel_for(runs.size(), jobs, [&](std::size_t i) {
    std::atomic<int>* const hangs_left = runs[i].hangs_left;
    if (hangs_left == nullptr || *hangs_left > 0) *runs[i].result = run_one(runs[i]);
    if (hangs_left != nullptr && runs[i].result->verdict == Verdict::hang) --*hangs_left;
    counter.add(1);
  });
}

void run_tests(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress) {
  run_tests(runs, jobs, shown_by(progress, runs.size()));
}

void run_together(const std::vector<TestRun>& runs, unsigned jobs, Progress& progress) {
  std::vector<std::span<const TestRun>> groups;
  for (auto first = runs.begin(); first != runs.end();) {
    const auto last = std::find_if(first, runs.end(), [&](const TestRun& run) { return run.program != first->program; });
    groups.emplace_back(first, last);
    first = last;
  }
  const Done show = shown_by(progress, runs.size());
  Counter counter(show);
  parallel_for(groups.size(), jobs, [&](std::size_t i) {
    run_group(groups[i]);
    counter.add(groups[i].size());
  });
}

}  // namespace grader
