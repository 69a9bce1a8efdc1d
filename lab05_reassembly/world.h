// Given: the world of the game: where each player is, who sees whom, and what each player has not been told yet.
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
  Reassembler reassembler;  // used only by the worker that handles this client's receive

 private:
  friend class World;
  static constexpr int kNoSlot = -1;
  int slot = kNoSlot;  // its player id; protected by World::mutex_
  bool left = false;   // protected by World::mutex_
};

// What the world has sent, summed over all players.
struct WorldStats {
  std::uint64_t bytes = 0;            // all packets
  std::uint64_t positions = 0;        // positions in SC_POSITION and SC_POSITIONS packets
  std::uint64_t position_bytes = 0;   // bytes of these packets, including headers
  std::uint64_t sends = 0;
};

// The world does not queue packets. For each player it stores what the player has been told and what may have changed
// since; flush() compares the two and writes packets about the difference. Pending changes are merged: ten moves of
// another player during one outstanding send become one position (N22).
//
// Each player has at most one outstanding send. Changes meanwhile wait for its completion. So a player who reads slowly
// costs little, packets cannot overtake each other, and the busier the server is, the larger its sends are.
//
// Threads: any thread may call any function. One mutex protects everything. It is never held during a send.
class World {
 public:
  // Creates a world for `max_players`, at most 65536. A player sees the others whose x and y differ from its own by at
  // most `view_distance`; 255 is the whole world. All memory is allocated here; no later call allocates.
  explicit World(std::size_t max_players, int view_distance = 255);

  // Places the player. It will be told its id, its position and whom it sees; players who see it will be told of it.
  // Returns already_logged_in, world_is_full, or none. The name has 1 to kMaxNameSize bytes.
  ProtocolError login(const std::shared_ptr<Player>& player, std::string_view name);

  // Moves the player one step. All who see it will be told, and the player itself. Returns not_logged_in or none.
  ProtocolError move(Player& player, Direction direction);

  // Removes the player for good; players who saw it will be told. Does nothing if the player was not logged in.
  void leave(Player& player);

  // Sends the pending changes, at most one send per player. Call it at the end of a round of changes.
  void flush(Server& server);

  // Records that this player's send has completed, so that the next can be posted. Call flush() afterwards.
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
    bool sending = false;     // a send is outstanding
    Bits known;               // players that this one has been told of
    Bits changed;             // players that may have changed
    Bits replaced;            // known players whose id now belongs to another player
  };

  bool sees(const Slot& viewer, const Slot& other) const;
  void mark(std::size_t viewer, std::size_t other);
  std::size_t write_news(std::size_t viewer, unsigned char* out);

  const int view_distance_;
  mutable std::mutex mutex_;  // protects what follows
  std::vector<Slot> slots_;
  std::vector<PlayerId> active_;      // the slots that are taken
  Bits waiting_;                      // players with pending changes and no outstanding send
  std::vector<Position> positions_;   // scratch of write_news
  std::size_t next_slot_ = 0;         // where the next search for a free slot starts: ids are reused late
  std::uint32_t places_ = 0;          // the random state for places
  WorldStats stats_;
};

}  // namespace lab
