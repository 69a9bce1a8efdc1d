#include "story.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "error_names.h"
#include "not_started.h"
#include "seam.h"
#include "win32.h"

namespace test {
namespace {

// The one test that is running.
struct Story {
  std::mutex mutex;  // protects what follows
  bool running = false;
  int steps = 0;
  std::optional<int> steps_before_seeds;   // each seed counts from there
  std::string last_step;
  std::string read;         // "N5, lab01_accept/README.md#step-1"
  std::optional<Unmet> unmet;              // the first check that failed: the code under test may catch the exception
  std::optional<std::string> not_started;  // the first unwritten TODO that any thread reached
  std::optional<std::string> stray_error;  // an exception of a Background that was never finished
  std::string seen;         // last_seen() at the first check that failed
  Clock::time_point deadline;
};

Story& story() {
  static Story* const one = new Story;  // never destroyed: the watchdog may outlive main
  return *one;
}

int bound_in_seconds() { return static_cast<int>(20 * slowness()); }

void print_line(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// Ends the process when a test takes too long. Starts with the first test.
void start_watchdog() {
  static const bool started = [] {
    std::thread([] {
      for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        std::string late;
        {
          std::lock_guard lock(story().mutex);
          if (!story().running || Clock::now() < story().deadline) continue;
          late = story().last_step;
        }
        end_process("hang: the test took longer than " + std::to_string(bound_in_seconds()) +
                        " s. Its last step: " + late,
                    kExitHang);
      }
    }).detach();
    return true;
  }();
  static_cast<void>(started);
}

// The text of an exception. It comes from the code under test, so it may be empty: an exception is a failure all the same.
std::string text_of(const std::exception& error) {
  if (const auto* const with_code = dynamic_cast<const std::system_error*>(&error)) return lab::error_text(*with_code);
  const char* const text = error.what();
  return text == nullptr || *text == '\0' ? "(an exception without a text)" : text;
}

// Why an exception ended something; also takes note of an unwritten TODO.
std::string explain(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const lab::NotStarted& unwritten) {
    remember_not_started(unwritten.what());
    return text_of(unwritten);
  } catch (const Unmet& unmet) {
    return std::string("story: ") + unmet.what();
  } catch (const std::exception& other) {
    return "story: expected no exception, but it was: " + text_of(other);
  } catch (...) {
    return "story: expected no exception, but one came that is not a std::exception";
  }
}

bool nothing_failed_unseen() {
  std::lock_guard lock(story().mutex);
  return !story().stray_error && !story().unmet && !story().not_started;
}

}  // namespace

void remember_not_started(const std::string& what) {
  std::lock_guard lock(story().mutex);
  if (!story().not_started) story().not_started = what.empty() ? "not started: the exception does not say which TODO" : what;
}

void step(const std::string& what) {
  reached(what);
  last_wait_timed_out() = false;
  std::lock_guard lock(story().mutex);
  story().last_step = std::to_string(++story().steps) + ". " + what;
  print_line("story: " + story().last_step);
  note_step(story().last_step.c_str());
}

void begin_seed(const std::string& seed) {
  next_seed();
  std::lock_guard lock(story().mutex);
  if (!story().steps_before_seeds) story().steps_before_seeds = story().steps;
  story().steps = *story().steps_before_seeds;
  print_line("seed: " + seed);
}

void end_seeds() {
  std::lock_guard lock(story().mutex);
  story().steps_before_seeds.reset();
}

void print_decisions(const std::string& order, const std::vector<std::string>& in_words) {
  for (const std::string& word : in_words) print_line("order: " + word);
  print_line("decisions: " + order);
}
void print_orders(const std::string& what) { print_line("orders: " + what); }

std::string likely_reason(Number actual, Number expected) {
  const auto swapped = [](std::uint64_t value, std::size_t size) {
    std::uint64_t result = 0;
    for (std::size_t i = 0; i < size; ++i) result = result << 8 | (value >> 8 * i & 0xFF);
    return result;
  };
  constexpr std::uint64_t kLow[] = {0, 0xFF, 0xFFFF, 0, 0xFFFFFFFF, 0, 0, 0, ~std::uint64_t{0}};  // bits of so many bytes
  for (const std::size_t size : {std::size_t{2}, std::size_t{4}, std::size_t{8}}) {
    const bool fits = actual.bits <= kLow[size] && expected.bits <= kLow[size];
    if (fits && actual.bits != expected.bits && actual.bits == swapped(expected.bits, size)) {
      return " (the same bytes in the other order: is htons, ntohs or a shift missing, or one too many?)";
    }
  }
  const char* const name = actual.bits < 100000 ? lab::error_name(static_cast<int>(actual.bits)) : nullptr;
  const char* const wanted = expected.bits < 100000 ? lab::error_name(static_cast<int>(expected.bits)) : nullptr;
  if (name != nullptr && wanted != nullptr && actual.bits > 10000 && expected.bits > 10000) {
    return std::string(" (") + name + ", not " + wanted + ")";
  }
  if (actual.size < 2 || actual.size > 8) return "";
  // What -ftrivial-auto-var-init=pattern and debug heaps write.
  for (const std::uint64_t byte : {0xFEu, 0xAAu, 0xCDu, 0xCCu, 0xBEu}) {
    if (actual.bits % 0x10000 == byte * 0x101 && (actual.bits & kLow[actual.size]) == (kLow[actual.size] / 0xFF * byte & kLow[actual.size])) {
      return " (a pattern of uninitialised memory: this variable was never set)";
    }
  }
  const std::uint64_t below_zero = (kLow[actual.size] - actual.bits) & kLow[actual.size];
  if (actual.size >= 4 && actual.bits > expected.bits && below_zero < 1000) {
    return " (" + std::to_string(-static_cast<std::int64_t>(below_zero) - 1) + " as an unsigned number: counted down too often?)";
  }
  if (actual.size == 8 && actual.bits >> 48 != 0 && expected.bits >> 32 == 0) return " (so large: was this variable never set?)";
  return "";
}

std::atomic<void (*)()> before_a_failure = nullptr;

void fail(const std::string& what, const char* file, int line) {
  if (const auto prepare = before_a_failure.load()) prepare();
  {
    const std::string seen = last_seen(last_wait_timed_out());  // now: what cleans up after the failure changes it
    note_step(what.c_str(), true);
    std::lock_guard lock(story().mutex);
    if (story().seen.empty()) story().seen = seen;
    if (!story().unmet) story().unmet.emplace(what, Place{file, line});
  }
  throw Unmet(what, {file, line});
}

void forget_failure() {
  std::lock_guard lock(story().mutex);
  story().unmet.reset();
}

void end_process(const std::string& last_line, int code) {
  {
    std::lock_guard lock(story().mutex);
    if (story().running && code == kExitHang) std::fputs(last_seen(true).c_str(), stdout);
    print_line(last_line);
    if (story().running && code != lab::kExitNotStarted) print_line("story: read: " + story().read);
    story().running = false;
  }
  std::_Exit(code);
}

bool test_is_running() {
  std::lock_guard lock(story().mutex);
  return story().running;
}

Clock::duration time_left() {
  std::lock_guard lock(story().mutex);
  return story().deadline - Clock::now();
}

Background::Background(std::string what, std::function<void()> body)
    : what_(std::move(what)), thread_([this, body = std::move(body)] {
        begin_thread();
        try {
          body();
        } catch (...) {
          error_ = std::current_exception();
        }
        finished_ = true;
      }) {}

Background::~Background() {
  if (!thread_.joinable()) return;
  join();
  if (error_) {
    const std::string why = explain(error_);
    std::lock_guard lock(story().mutex);
    if (!story().stray_error) story().stray_error = why;
  }
}

bool Background::finished() const { return finished_; }

void Background::finish() {
  join();
  if (error_) {
    explain(error_);
    std::rethrow_exception(error_);
  }
}

void Background::join() {
  if (!eventually([this] { return finished(); })) {
    end_process("hang: expected that " + what_ + " ends, but it goes on", kExitHang);
  }
  thread_.join();
}

void tell(const char* note, const char* handout, Place place, void (*body)()) {
  start_watchdog();
  forget_reached();
  {
    std::lock_guard lock(story().mutex);
    story().steps = 0;
    story().steps_before_seeds.reset();
    story().last_step = "none yet";
    story().read = std::string(note) + ", " + handout;
    story().unmet.reset();
    story().not_started.reset();
    story().stray_error.reset();
    story().seen.clear();
    story().deadline = Clock::now() + std::chrono::seconds(bound_in_seconds());
    story().running = true;
  }
  std::optional<std::string> failure;
  begin_watch();
  try {
    body();
  } catch (const Unmet& unmet) {
    place = unmet.place;
    failure = explain(std::current_exception());
  } catch (...) {
    failure = explain(std::current_exception());
  }
  std::string read;
  const std::string broken = end_watch(!failure && !::testing::Test::HasFailure() && nothing_failed_unseen());
  {
    std::lock_guard lock(story().mutex);
    story().running = false;
    if (!failure && story().unmet) {
      place = story().unmet->place;
      failure = std::string("story: ") + story().unmet->what();
    }
    if (!failure) failure = story().stray_error;
    if (!broken.empty()) failure = broken + (failure ? "\n" + *failure : "");
    const std::string& seen = story().seen;
    if (failure && !seen.empty()) *failure += "\n" + seen.substr(0, seen.size() - 1);
    if (story().not_started) {
      failure = story().not_started;  // whatever else went wrong comes from that
    } else {
      read = "\nstory: read: " + story().read;
    }
  }
  if (failure) {
    ADD_FAILURE_AT(place.file, place.line) << *failure << read;
  } else if (::testing::Test::HasFailure()) {
    print_line(read.substr(1));  // an EXPECT_ of the test failed
  } else if (const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info()) {
    prove(std::string(test->test_suite_name()) + "." + test->name());
  }
}

}  // namespace test
