#include "world.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lab {
namespace {

void put_u16(unsigned char* out, std::size_t value) {
  out[0] = static_cast<unsigned char>(value & 0xFF);
  out[1] = static_cast<unsigned char>(value >> 8);
}

// Writes SC_LOGIN_OK or SC_ENTER, which both begin with header, id, position. Returns the packet size, including
// `tail`.
std::size_t put_place(unsigned char* out, PacketType type, std::size_t id, std::uint8_t x, std::uint8_t y,
                      std::string_view tail) {
  const std::size_t size = kHeaderSize + kPositionSize + tail.size();
  out[0] = static_cast<unsigned char>(size);
  out[1] = type;
  put_u16(out + 2, id);
  out[4] = x;
  out[5] = y;
  std::copy(tail.begin(), tail.end(), out + 6);  // memcpy does not allow the null pointer of an empty view
  return size;
}

std::size_t put_leave(unsigned char* out, std::size_t id) {
  out[0] = 4;
  out[1] = SC_LEAVE;
  put_u16(out + 2, id);
  return 4;
}

constexpr std::size_t kMaxNews = 4 + kHeaderSize + kPositionSize + kMaxNameSize;  // a leave and an enter of one id

}  // namespace

World::World(std::size_t max_players, int view_distance) : view_distance_(view_distance), waiting_(max_players) {
  slots_.reserve(max_players);
  for (std::size_t i = 0; i < max_players; ++i) slots_.emplace_back(max_players);
  active_.reserve(max_players);
  positions_.reserve(kBufferSize / kPositionSize);
}

bool World::sees(const Slot& viewer, const Slot& other) const {
  return std::abs(viewer.x - other.x) <= view_distance_ && std::abs(viewer.y - other.y) <= view_distance_;
}

void World::mark(std::size_t viewer, std::size_t other) {
  slots_[viewer].changed.set(other);
  if (!slots_[viewer].sending) waiting_.set(viewer);
}

ProtocolError World::login(const std::shared_ptr<Player>& player, std::string_view name) {
  std::lock_guard lock(mutex_);
  if (player->left || player->slot != Player::kNoSlot) return ProtocolError::already_logged_in;
  if (active_.size() == slots_.size()) return ProtocolError::world_is_full;
  while (slots_[next_slot_].player != nullptr) next_slot_ = (next_slot_ + 1) % slots_.size();
  const std::size_t id = next_slot_;
  next_slot_ = (next_slot_ + 1) % slots_.size();

  Slot& slot = slots_[id];
  places_ = places_ * 1664525u + 1013904223u;  // any generator is good enough; the state of this one is one number
  slot.x = static_cast<std::uint8_t>(places_ >> 24);
  slot.y = static_cast<std::uint8_t>(places_ >> 16);
  slot.name_size = static_cast<std::uint8_t>(name.size());
  std::memcpy(slot.name, name.data(), name.size());
  slot.told_login = false;
  slot.sending = false;
  slot.known.clear();
  slot.changed.clear();
  slot.replaced.clear();
  slot.player = player;
  player->slot = static_cast<int>(id);
  active_.push_back(static_cast<PlayerId>(id));

  for (const PlayerId other : active_) {
    if (slots_[other].known.test(id)) slots_[other].replaced.set(id);
    if (sees(slots_[other], slot) || slots_[other].known.test(id)) mark(other, id);
    if (sees(slot, slots_[other])) mark(id, other);
  }
  return ProtocolError::none;
}

ProtocolError World::move(Player& player, Direction direction) {
  std::lock_guard lock(mutex_);
  if (player.left) return ProtocolError::none;  // disconnected a moment ago, on another thread
  if (player.slot == Player::kNoSlot) return ProtocolError::not_logged_in;
  const auto id = static_cast<std::size_t>(player.slot);
  Slot& slot = slots_[id];
  switch (direction) {
    case Direction::up: slot.y = static_cast<std::uint8_t>(std::max(slot.y - 1, 0)); break;
    case Direction::down: slot.y = static_cast<std::uint8_t>(std::min(slot.y + 1, 255)); break;
    case Direction::left: slot.x = static_cast<std::uint8_t>(std::max(slot.x - 1, 0)); break;
    case Direction::right: slot.x = static_cast<std::uint8_t>(std::min(slot.x + 1, 255)); break;
  }
  for (const PlayerId other : active_) {
    if (sees(slots_[other], slot) || slots_[other].known.test(id)) mark(other, id);
    if (sees(slot, slots_[other]) != slot.known.test(other)) mark(id, other);  // entered or left the view
  }
  return ProtocolError::none;
}

void World::leave(Player& player) {
  std::shared_ptr<Player> last;  // destroyed after the lock is released
  std::lock_guard lock(mutex_);
  player.left = true;
  if (player.slot == Player::kNoSlot) return;
  const auto id = static_cast<std::size_t>(player.slot);
  player.slot = Player::kNoSlot;
  last = std::move(slots_[id].player);
  waiting_.reset(id);
  active_.erase(std::find(active_.begin(), active_.end(), id));
  for (const PlayerId other : active_) {
    if (slots_[other].known.test(id)) mark(other, id);
  }
}

void World::sent(Player& player) {
  std::lock_guard lock(mutex_);
  if (player.slot == Player::kNoSlot) return;
  const auto id = static_cast<std::size_t>(player.slot);
  slots_[id].sending = false;
  if (slots_[id].changed.first() != Bits::none) waiting_.set(id);
}

// Writes what `viewer` has not been told yet, at most kBufferSize bytes. Changes that do not fit stay marked.
std::size_t World::write_news(std::size_t viewer, unsigned char* out) {
  Slot& me = slots_[viewer];
  std::size_t size = 0;
  if (!me.told_login) {
    size += put_place(out, SC_LOGIN_OK, viewer, me.x, me.y, {});
    me.told_login = true;
    me.known.set(viewer);
    me.changed.reset(viewer);
  }
  positions_.clear();
  for (std::size_t id; (id = me.changed.first()) != Bits::none;) {
    if (size + kMaxNews + encoded_size(positions_.size() + 1) > kBufferSize) break;
    const Slot& other = slots_[id];
    const bool visible = other.player != nullptr && sees(me, other);
    if (me.known.test(id) && (!visible || me.replaced.test(id))) {
      size += put_leave(out + size, id);
      me.known.reset(id);
    }
    if (visible && me.known.test(id)) {
      positions_.push_back({static_cast<PlayerId>(id), other.x, other.y});
    } else if (visible) {
      size += put_place(out + size, SC_ENTER, id, other.x, other.y, {other.name, other.name_size});
      me.known.set(id);
    }
    me.changed.reset(id);
    me.replaced.reset(id);
  }
  const std::size_t position_bytes = encode_positions(positions_, out + size);
  stats_.positions += positions_.size();
  stats_.position_bytes += position_bytes;
  return size + position_bytes;
}

void World::flush(Server& server) {
  // A send that fails disconnects its player, which calls leave() and flush() recursively. This outer loop continues
  // anyway and finds the changes of leave(), so the inner flush() has nothing to do.
  static thread_local bool flushing = false;
  if (flushing) return;
  struct Mark {
    Mark() { flushing = true; }
    ~Mark() { flushing = false; }
  } mark_flushing;

  unsigned char news[kBufferSize];
  std::unique_lock lock(mutex_);
  for (std::size_t id; (id = waiting_.first()) != Bits::none;) {
    waiting_.reset(id);
    const std::size_t size = write_news(id, news);
    if (size == 0) continue;  // the change was undone before it was sent
    slots_[id].sending = true;
    stats_.bytes += size;
    ++stats_.sends;
    const std::shared_ptr<Player> player = slots_[id].player;
    lock.unlock();
    send_bytes(server, player, reinterpret_cast<const char*>(news), size);
    lock.lock();
  }
}

WorldStats World::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace lab
