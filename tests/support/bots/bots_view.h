// What one bot knows of the game, and whether it can be true.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bots {

// A check that failed: who saw what.
struct CheckFailed {
  std::string text;
};

struct Place {
  std::uint8_t x = 0;
  std::uint8_t y = 0;
  bool operator==(const Place&) const = default;
};

constexpr std::size_t kNobody = 0xFFFFFFFF;
constexpr std::size_t kStranger = 0xFFFFFFFE;  // a player who is not one of our bots

// From one log-in of one bot to its log-out. The way it goes is known, because all bots are in this process.
struct Life {
  std::size_t bot;
  std::size_t id = kNobody;  // until somebody was told
  bool over = false;         // it has logged out; others may hear of it a little longer
  std::vector<Place> path;   // path[0] is where it came in; empty until somebody was told
};

struct Truth {
  std::string tag;  // the name of life 17 is tag + "17"
  int view;         // how far a player sees
  std::vector<Life> lives;

  std::string name(std::size_t life) const { return tag + std::to_string(life); }
};

// One life's picture of the game.
class View {
 public:
  View() = default;
  View(Truth& truth, std::size_t life) : truth_(&truth), life_(life) {}

  // Takes one whole packet. Throws CheckFailed when it is not right.
  void told(std::string_view packet);

  bool logged_in() const { return at_ != kNobody; }
  std::size_t answered() const { return at_; }  // this life's path up to here has been answered
  std::uint64_t positions() const { return positions_; }

  // What it has not been told yet, when nobody moves any more; empty: nothing. `others`: the lives that go on.
  std::string missing(const std::vector<std::size_t>& others) const;

  [[noreturn]] void fail(const std::string& what) const;

 private:
  struct Known {
    std::size_t life = kNobody;
    std::size_t at = 0;  // how far on its path, at least
    Place place;
  };
  Known& known(std::size_t id);
  void told_login(std::size_t id, Place place);
  void told_enter(std::size_t id, Place place, const std::string& name);
  void told_position(std::size_t id, Place place);
  void told_leave(std::size_t id);
  void learn(std::size_t id, std::size_t life, Place place);
  void go_on(std::size_t id, Known& player, Place place, std::size_t from);

  Truth* truth_ = nullptr;
  std::size_t life_ = kNobody;
  std::size_t at_ = kNobody;
  std::uint64_t positions_ = 0;
  std::vector<Known> known_;  // by player id
};

}  // namespace bots
