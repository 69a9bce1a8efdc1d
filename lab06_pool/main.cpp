// Given: the program of lab 6. The game server of lab 5 on the pool.
//
// Threads: as in lab 5. The pool is thread-safe.
#include <atomic>
#include <cstdio>

#include "count_new.h"
#include "game_handler.h"
#include "game_options.h"
#include "pool.h"

namespace {

constexpr std::uint64_t kWarmUp = 1000;  // packets

// The game; it also counts `new`, which no worker thread should call once the server has warmed up (N10).
class CountedGame : public lab::GameHandler {
 public:
  using GameHandler::GameHandler;

  bool on_recv(lab::Server& server, const std::shared_ptr<lab::Connection>& connection, const char* data,
               std::size_t size) override {
    lab::count_new_of_this_thread();
    const bool going_on = GameHandler::on_recv(server, connection, data, size);
    if (!warm_ && packets() >= kWarmUp && !warm_.exchange(true)) news_at_warm_up_ = lab::counted_news();
    return going_on;
  }

  void print_news() const {
    const std::uint64_t all = lab::counted_news();
    const std::uint64_t before = warm_ ? news_at_warm_up_.load() : all;
    std::printf("new calls on worker threads: %llu during warm-up (the first %llu packets), %llu after\n",
                static_cast<unsigned long long>(before), static_cast<unsigned long long>(kWarmUp),
                static_cast<unsigned long long>(all - before));
  }

 private:
  std::atomic<bool> warm_{false};
  std::atomic<std::uint64_t> news_at_warm_up_{0};
};

void print_pool(const lab::PoolStats& stats) {
  std::printf("operations: %llu acquired, %zu still out\n", static_cast<unsigned long long>(stats.acquired),
              stats.in_use);
  std::printf("pool: %zu blocks, high-water mark %zu, exhausted %llu times, bad releases %llu\n", stats.capacity,
              stats.high_water, static_cast<unsigned long long>(stats.exhausted),
              static_cast<unsigned long long>(stats.bad_releases));
}

}  // namespace

int main(int argc, char** argv) {
  lab::CommandLine command_line{"Lab 6: the game server on a shared pool of operations. Ctrl+C ends it."};
  lab::GameOptions options;
  lab::add_game_options(command_line, options);
  std::size_t blocks = 4096;
  std::string policy = "growing";
  command_line.add_number("--pool-blocks", blocks, 1, 1000000, "operations that the pool makes at the start");
  command_line.add_choice("--pool-policy", policy, {"bounded", "growing"},
                          "bounded: never more than that; growing: as many again when all are out");

  return lab::run_program(command_line, argc, argv, [&] {
    const bool bounded = policy == "bounded";
    lab::OperationPool pool(blocks, bounded ? lab::PoolPolicy::bounded : lab::PoolPolicy::growing);
    lab::World world(options.max_players, options.view_distance);
    CountedGame handler(world);
    lab::run_server(options, pool, handler, [] { return std::make_shared<lab::Player>(); });
    handler.print_summary();
    handler.print_news();
    print_pool(pool.stats());
  });
}
