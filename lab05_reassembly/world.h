// Given: the world of the game. Who stands where, who sees whom, and what each player has yet to be told.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "bits.h"
#include "protocol.h"
#include "reassembly.h"
#include "worker.h"

namespace lab {

// A client from lab 5 on.
struct Player : Connection {
  Reassembler reassembler;  // used only by the worker that handles this client's one receive

 private:
  friend class World;
  static constexpr int kNoSlot = -1;
  int slot = kNoSlot;  // its player id; protected by World::mutex_
  bool left = false;   // protected by World::mutex_
};

// What the world has sent. The figures are the sum over all players.
struct WorldStats {
  std::uint64_t bytes = 0;            // all packets
  std::uint64_t positions = 0;        // positions in SC_POSITION and SC_POSITIONS packets
  std::uint64_t position_bytes = 0;   // bytes of these packets, their headers included
  std::uint64_t sends = 0;
};

// The world does not queue packets. For each player it remembers what he has been told and what may have changed since;
// flush() compares the two and writes packets about the difference. Changes that wait are put together: ten moves of a
// player whom you could not be told about in time are one position (N22).
//
// One send per player is on its way at a time. What changes meanwhile waits for its completion. So a player who reads
// slowly costs little, packets cannot overtake each other, and the busier the server is, the larger its sends are.
//
// Threads: any thread may call any function. One mutex protects all of it. It is never held while something is sent.
class World {
 public:
  // Room for `max_players`, at most 65536. A player sees the others whose x and y differ from his by at most
  // `view_distance`; 255 is the whole world. All memory is taken here; no later call allocates.
  explicit World(std::size_t max_players, int view_distance = 255);

  // Puts the player somewhere. He will be told id and place, and whom he sees; who sees him will be told of him.
  // Returns already_logged_in, world_is_full, or none. The name has 1 to kMaxNameSize bytes.
  ProtocolError login(const std::shared_ptr<Player>& player, std::string_view name);

  // One step. Everybody who sees it will be told, he himself too. Returns not_logged_in or none.
  ProtocolError move(Player& player, Direction direction);

  // The player is gone for ever; who saw him will be told. Nothing happens to one who was not logged in.
  void leave(Player& player);

  // Sends what waits, at most one send per player. Call it when a round of changes is done.
  void flush(Server& server);

  // This player's send has completed: he can be told more. Call flush() afterwards.
  void sent(Player& player);

  WorldStats stats() const;

 private:
  struct Slot {
    explicit Slot(std::size_t max_players) : known(max_players), changed(max_players), replaced(max_players) {}
    std::shared_ptr<Player> player;  // null: the slot is free
    std::uint8_t x = 0;
    std::uint8_t y = 0;
    std::uint8_t name_size = 0;
    char name[kMaxNameSize];
    bool told_login = false;  // SC_LOGIN_OK has been written
    bool sending = false;     // a send is on its way
    Bits known;               // players that this one has been told of
    Bits changed;             // players about whom there may be news
    Bits replaced;            // known players whose id has passed to somebody else since
  };

  bool sees(const Slot& viewer, const Slot& other) const;
  void mark(std::size_t viewer, std::size_t other);
  std::size_t write_news(std::size_t viewer, unsigned char* out);

  const int view_distance_;
  mutable std::mutex mutex_;  // protects what follows
  std::vector<Slot> slots_;
  std::vector<PlayerId> active_;      // the slots that are taken
  Bits waiting_;                      // players with news and without a send on its way
  std::vector<Position> positions_;   // scratch of write_news
  std::size_t next_slot_ = 0;         // where the search for a free slot goes on: an id rests as long as possible
  std::uint32_t places_ = 0;          // the random state for places
  WorldStats stats_;
};

}  // namespace lab
