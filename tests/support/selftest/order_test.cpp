// Orders: all of them are played, each once, and each can be replayed.
#include "order.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "conductor.h"
#include "story.h"

namespace test {
namespace {

LAB_TEST(Order, TextAndBack, "-", "tests/support/README.md") {
  for (const std::string text : {"7", "18446744073709551615", "0/", "0/12.1", "17/12.1-30.2"}) {
    const auto order = Order::parse(text);
    check("it is an order: " + text, order.has_value());
    check_equal("its text", order->text(), text);
  }
  for (const std::string text : {"", "x", "-1", "7 ", "18446744073709551616", "7/1", "7/1.", "7/1.1-", "7/-1.1", "7/1.1 2.1", "7/1.1/"}) {
    check("it is no order: " + text, !Order::parse(text));
  }
}

// The steps of two threads, "aabab", and how often one was preempted: a step of the other one follows although it had more.
std::size_t preemptions_of(const std::string& steps) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    const bool goes_on = steps.find(steps[i], i + 1) != std::string::npos;
    count += steps[i] != steps[i + 1] && goes_on ? 1 : 0;
  }
  return count;
}

// Two threads that write a letter each time they run. The conductor lets one run at a time, which ThreadSanitizer does not
// see: so the letters are atomic.
std::string steps_of_two_threads(std::uint64_t seed, std::size_t steps_of_each) {
  std::vector<std::atomic<char>> steps(2 * steps_of_each);
  std::atomic<std::size_t> count{0};
  Conductor conductor(seed);
  for (const char letter : {'a', 'b'}) {
    conductor.call("write", [&steps, &count, letter, steps_of_each] {
      for (std::size_t i = 0; i < steps_of_each; ++i) {
        if (i > 0) yield_point("between two letters");
        steps[count++] = letter;
      }
    });
  }
  conductor.play();
  return {steps.begin(), steps.end()};
}

LAB_TEST(Order, EachOrderWithinTheBoundIsPlayedOnce, "-", "tests/support/README.md") {
  constexpr std::size_t kSteps = 4;
  for (const unsigned bound : {0u, 1u, 2u, 3u}) {
    STEP("two threads of four steps, with at most " + std::to_string(bound) + " preemptions");
    std::multiset<std::string> played;
    for_each_order(bound, [&](std::uint64_t seed) { played.insert(steps_of_two_threads(seed, kSteps)); });
    std::set<std::string> wanted;
    std::string steps = std::string(kSteps, 'a') + std::string(kSteps, 'b');
    do {
      if (preemptions_of(steps) <= bound) wanted.insert(steps);
    } while (std::next_permutation(steps.begin(), steps.end()));
    check_equal("how many were played", played.size(), wanted.size());
    check("they are those that there are", std::equal(played.begin(), played.end(), wanted.begin(), wanted.end()));
  }
}

LAB_TEST(Order, WithFewPreemptionsFirst, "-", "tests/support/README.md") {
  std::vector<std::size_t> preemptions;
  for_each_order(2, [&](std::uint64_t seed) { preemptions.push_back(preemptions_of(steps_of_two_threads(seed, 3))); });
  check("they are sorted", std::is_sorted(preemptions.begin(), preemptions.end()));
}

LAB_TEST(Order, ASeedCanBeReplayedAsAnOrder, "-", "tests/support/README.md") {
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    begin_run({seed, {}});
    const std::string steps = steps_of_two_threads(seed, 5);
    const Order order = current_run().as_made();
    begin_run(*Order::parse(order.text()));
    check_equal("the steps", steps_of_two_threads(seed, 5), steps);
    check("the order was followed", !current_run().diverged());
    different.insert(steps);
  }
  begin_run({});
  check("seeds differ", different.size() > 5);
}

LAB_TEST(Order, AnOrderOfAnotherProgramDiverges, "-", "tests/support/README.md") {
  for (const std::string text : {"0/1.7", "0/100.1"}) {
    begin_run(*Order::parse(text));
    steps_of_two_threads(0, 2);
    check("it diverged", current_run().diverged());
  }
  begin_run({});
}

}  // namespace
}  // namespace test
