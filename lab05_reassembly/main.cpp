// Given: the program of lab 5. The game server, with `new` and `delete` for each operation.
//
// Threads: as in lab 4. The world has its own mutex.
#include "game_handler.h"
#include "game_options.h"

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 5: the game server. Ctrl+C ends it."};
  lab::GameOptions options;
  lab::add_game_options(command_line, options);

  return lab::run_program(command_line, argc, argv, [&] {
    lab::HeapOperations operations;
    lab::World world(options.max_players, options.view_distance);
    lab::GameHandler handler(world);
    lab::run_server(options, operations, handler, [] { return std::make_shared<lab::Player>(); });
    handler.print_summary();
  });
}
