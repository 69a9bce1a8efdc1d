#include "bots_view.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "protocol.h"

namespace bots {
namespace {

std::string text(Place place) { return std::to_string(place.x) + "," + std::to_string(place.y); }
std::string player_text(std::size_t id) { return "player " + std::to_string(id); }

bool has_right_size(unsigned type, std::size_t body) {
  switch (type) {
    case lab::SC_LOGIN_OK:
    case lab::SC_POSITION: return body == lab::kPositionSize;
    case lab::SC_ENTER: return body > lab::kPositionSize && body <= lab::kPositionSize + lab::kMaxNameSize;
    case lab::SC_POSITIONS: return body >= 2 * lab::kPositionSize && body % lab::kPositionSize == 0;
    case lab::SC_LEAVE: return body == 2;
    default: return false;
  }
}

}  // namespace

void View::fail(const std::string& what) const {
  const Life& life = truth_->lives[life_];
  throw CheckFailed{"bot " + std::to_string(life.bot) + (logged_in() ? " (" + player_text(life.id) + ") " : " ") +
                    what};
}

void View::told(std::string_view packet) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(packet[i]); };
  const unsigned type = byte(1);
  const std::string name = "got a packet of type " + std::to_string(type);
  if (!has_right_size(type, packet.size() - lab::kHeaderSize)) {
    fail(name + " with length " + std::to_string(packet.size()));
  }
  if (logged_in() == (type == lab::SC_LOGIN_OK)) fail(name + (logged_in() ? " twice" : " before SC_LOGIN_OK"));
  for (std::size_t i = lab::kHeaderSize; i < packet.size(); i += lab::kPositionSize) {
    const std::size_t id = byte(i) | static_cast<std::size_t>(byte(i + 1)) << 8;
    if (type == lab::SC_LEAVE) return told_leave(id);
    const Place place{byte(i + 2), byte(i + 3)};
    if (type == lab::SC_LOGIN_OK) return told_login(id, place);
    if (type == lab::SC_ENTER) return told_enter(id, place, std::string(packet.substr(i + lab::kPositionSize)));
    told_position(id, place);
  }
}

View::Known& View::known(std::size_t id) {
  if (known_.size() <= id) known_.resize(id + 1);
  return known_[id];
}

void View::told_login(std::size_t id, Place place) {
  for (std::size_t i = 0; i < truth_->lives.size(); ++i) {
    const Life& other = truth_->lives[i];
    if (i != life_ && !other.over && other.id == id) fail("got the id of " + player_text(id) + ", who is still there");
  }
  learn(id, life_, place);
  at_ = 0;
}

void View::told_enter(std::size_t id, Place place, const std::string& name) {
  std::size_t life = kStranger;
  if (name.starts_with(truth_->tag)) {
    life = std::strtoul(name.c_str() + truth_->tag.size(), nullptr, 10);
    if (life >= truth_->lives.size() || name != truth_->name(life)) {
      fail("was told of a player " + name + ", but nobody has logged in as that");
    }
  }
  learn(id, life, place);
}

// A player comes into view; the bot itself does so by logging in.
void View::learn(std::size_t id, std::size_t life, Place place) {
  Known& player = known(id);
  if (player.life != kNobody) fail("was told that " + player_text(id) + " enters, who is there already");
  player = {life, 0, place};
  if (life == kStranger) return;
  Life& its = truth_->lives[life];
  if (its.path.empty()) {
    its.id = id;
    its.path.push_back(place);
  }
  if (its.id != id) fail("was told that " + player_text(its.id) + " has the id " + std::to_string(id));
  go_on(id, player, place, 0);
}

// Finds the place on the player's path, not before `from`.
void View::go_on(std::size_t id, Known& player, Place place, std::size_t from) {
  const std::vector<Place>& path = truth_->lives[player.life].path;
  const auto found = std::find(path.begin() + static_cast<std::ptrdiff_t>(from), path.end(), place);
  if (found == path.end()) {
    fail("was told that " + player_text(id) + " stands at " + text(place) + ", but from " + text(path[player.at]) +
         " that one did not come there");
  }
  player.at = static_cast<std::size_t>(found - path.begin());
  player.place = place;
}

void View::told_position(std::size_t id, Place place) {
  Known& player = known(id);
  ++positions_;
  if (player.life == kNobody) fail("was told where " + player_text(id) + " is, who has not entered");
  if (player.life == kStranger) return;
  const bool me = player.life == life_;
  go_on(id, player, place, me ? player.at + 1 : player.at);  // each answer to oneself is for at least one new move
  if (me) at_ = player.at;
}

void View::told_leave(std::size_t id) {
  const std::size_t life = std::exchange(known(id), Known{}).life;
  if (life == kNobody) fail("was told that " + player_text(id) + " leaves, who is not there");
  if (life == life_ || (truth_->view >= 255 && life != kStranger && !truth_->lives[life].over)) {
    fail("was told that " + player_text(id) + " leaves, who is still there");
  }
}

std::string View::missing(const std::vector<std::size_t>& others) const {
  const Place me = truth_->lives[life_].path.back();
  const auto in_view = [this](int a, int b) { return std::abs(a - b) <= truth_->view; };
  for (const std::size_t other : others) {
    const Life& life = truth_->lives[other];
    const Place place = life.path.back();
    const bool is_visible = in_view(me.x, place.x) && in_view(me.y, place.y);
    const bool is_known = life.id < known_.size() && known_[life.id].life == other;
    if (is_visible != is_known || (is_known && known_[life.id].place != place)) {
      return "that " + player_text(life.id) + " stands at " + text(place);
    }
  }
  for (const Known& player : known_) {
    if (player.life < truth_->lives.size() && truth_->lives[player.life].over) {
      return "that " + player_text(truth_->lives[player.life].id) + " has left";
    }
  }
  return "";
}

}  // namespace bots
