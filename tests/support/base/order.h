// An order: a seed, and the decisions of the conductor that differ from the usual ones.
//
// As text "7" is all that seed 7 draws, and "0/12.1-30.2" is the usual decision everywhere, except for choice 1 at
// decision 12 and choice 2 at decision 30. This is what `lab check --seed` takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace test {

struct Deviation {
  std::size_t decision;
  std::size_t choice;
};

struct Order {
  std::uint64_t seed = 0;
  std::optional<std::vector<Deviation>> planned;  // in the order of their decisions; empty: the seed draws

  std::string text() const;
  static std::optional<Order> parse(const std::string& text);
};

// A decision that was made. Choice 0 is the usual one.
struct Decision {
  std::size_t choices = 1;
  std::size_t taken = 0;
  bool preempts = false;  // every choice but the usual one is a preemption
  std::string what = {};  // "thread 2 goes on after WSARecv"
};

// One run of a test's body: the order that it follows, and the decisions that its conductors made. Conductors of one run
// work one after the other, each under its own lock.
struct Run {
  Order order;
  std::vector<Decision> made;
  std::size_t next_deviation = 0;
  bool out_of_range = false;

  // The choice that is planned for the next decision, which has so many.
  std::size_t planned_choice(std::size_t choices);
  // The decisions were not those that the order was made for.
  bool diverged() const;
  // The order that makes these decisions again.
  Order as_made() const;
  // The decisions that were not the usual ones, a sentence each, or none if there are too many to read.
  std::vector<std::string> in_words() const;
};

// The run that a new conductor belongs to. Called on the test's own thread.
Run& current_run();
void begin_run(Order order);

// All orders with at most that many preemptions, each once: an order is played, and each of its later decisions, taken
// otherwise, is a further order.
class Orders {
 public:
  explicit Orders(std::size_t preemptions) : levels_(preemptions + 1) {
    levels_[0].push_back(Order{0, std::vector<Deviation>()});
  }

  // The next one, with as few preemptions as there are left, or nothing.
  std::optional<Order> next();
  // `made` are the decisions of the order that next() gave last.
  void played(const std::vector<Decision>& made);

  std::size_t count() const { return count_; }
  // All orders with fewer preemptions than this have been played.
  std::size_t level() const { return level_; }

 private:
  std::vector<std::vector<Order>> levels_;  // those to be played, by the number of their preemptions
  std::size_t level_ = 0;
  std::size_t count_ = 0;
  Order last_;
};

}  // namespace test
