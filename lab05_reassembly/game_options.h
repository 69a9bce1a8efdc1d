// Given: the options of the game server.
#pragma once

#include "run_server.h"

namespace lab {

struct GameOptions : WorkerOptions {
  std::size_t max_players = 1000;
  int view_distance = 255;
};

inline void add_game_options(CommandLine& command_line, GameOptions& options) {
  add_worker_options(command_line, options);
  command_line.add_number("--max-players", options.max_players, 1, 10000,
                          "how many players may be logged in at once; the world keeps a bit for each pair of them");
  command_line.add_number("--view", options.view_distance, 0, 255,
                          "how far a player sees, in steps; 255 is the whole world");
}

}  // namespace lab
