#include "order.h"

#include <charconv>

namespace test {
namespace {

// Reads a number and moves `at` behind it. False if there is none.
template <class Number>
bool read(const char*& at, const char* end, Number& number) {
  const std::from_chars_result result = std::from_chars(at, end, number);
  at = result.ptr;
  return result.ec == std::errc();
}

bool take(const char*& at, const char* end, char wanted) { return at != end && *at == wanted ? (++at, true) : false; }

Run& the_run() {
  static Run run;
  return run;
}

}  // namespace

std::string Order::text() const {
  std::string text = std::to_string(seed);
  if (!planned) return text;
  text += '/';
  for (const Deviation& deviation : *planned) {
    if (text.back() != '/') text += '-';
    text += std::to_string(deviation.decision) + "." + std::to_string(deviation.choice);
  }
  return text;
}

std::optional<Order> Order::parse(const std::string& text) {
  Order order;
  const char *at = text.data(), *const end = at + text.size();
  if (!read(at, end, order.seed)) return std::nullopt;
  if (at == end) return order;
  if (!take(at, end, '/')) return std::nullopt;
  order.planned.emplace();
  while (at != end) {
    Deviation deviation{};
    if (!order.planned->empty() && !take(at, end, '-')) return std::nullopt;
    if (!read(at, end, deviation.decision) || !take(at, end, '.') || !read(at, end, deviation.choice)) return std::nullopt;
    order.planned->push_back(deviation);
  }
  return order;
}

std::size_t Run::planned_choice(std::size_t choices) {
  if (!order.planned || next_deviation == order.planned->size()) return 0;
  const Deviation& next = (*order.planned)[next_deviation];
  if (next.decision != made.size()) return 0;
  ++next_deviation;
  out_of_range = out_of_range || next.choice >= choices;
  return next.choice < choices ? next.choice : 0;
}

bool Run::diverged() const { return out_of_range || (order.planned && next_deviation != order.planned->size()); }

Order Run::as_made() const {
  Order all{order.seed, std::vector<Deviation>()};
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (made[i].taken != 0) all.planned->push_back({i, made[i].taken});
  }
  return all;
}

std::vector<std::string> Run::in_words() const {
  constexpr std::size_t kMost = 6;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (made[i].taken == 0) continue;
    if (words.size() == kMost) return {};
    words.push_back("decision " + std::to_string(i) + (made[i].preempts ? ", a preemption: " : ": ") + made[i].what);
  }
  return words;
}

Run& current_run() { return the_run(); }

void begin_run(Order order) { the_run() = Run{std::move(order), {}, 0}; }

std::optional<Order> Orders::next() {
  while (level_ < levels_.size() && levels_[level_].empty()) ++level_;
  if (level_ == levels_.size()) return std::nullopt;
  last_ = std::move(levels_[level_].back());
  levels_[level_].pop_back();
  ++count_;
  return last_;
}

void Orders::played(const std::vector<Decision>& made) {
  const std::size_t from = last_.planned->empty() ? 0 : last_.planned->back().decision + 1;
  for (std::size_t i = from; i < made.size(); ++i) {
    const std::size_t level = level_ + (made[i].preempts ? 1 : 0);
    if (level >= levels_.size()) continue;
    for (std::size_t choice = 1; choice < made[i].choices; ++choice) {
      Order further = last_;
      further.planned->push_back({i, choice});
      levels_[level].push_back(std::move(further));
    }
  }
}

}  // namespace test
