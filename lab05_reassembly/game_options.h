// Given: the options of the game server.
#pragma once

#include "run_server.h"

namespace lab {

struct GameOptions : WorkerOptions {
  std::size_t max_players = 1000;
  int view_distance = 255;
};

inline void add_game_options(CLI::App& app, GameOptions& options) {
  add_worker_options(app, options);
  app.add_option("--max-players", options.max_players,
                 "how many players may be logged in at once; the world keeps a bit for each pair of them")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--view", options.view_distance, "how far a player sees, in steps; 255 is the whole world")
      ->check(CLI::Range(0, 255))
      ->capture_default_str();
}

}  // namespace lab
