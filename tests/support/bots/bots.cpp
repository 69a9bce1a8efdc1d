#include "bots.h"

#include <deque>
#include <queue>
#include <random>
#include <string_view>
#include <vector>

#include "bots_links.h"
#include "bots_view.h"
#include "protocol.h"

namespace bots {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

Clock::duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

struct Bot {
  Link* link = nullptr;
  std::size_t life = kNobody;
  View view;
  Clock::time_point since;              // of the connection, or of the log-out
  std::uint64_t moves = 0;              // in all lives
  std::uint64_t moves_in_life = 0;      // how many are left before it logs out
  std::deque<Clock::time_point> asked;  // when each move was made that is not answered yet
  bool right = true, down = true, pushed = false;
};

class Game : LinkEvents {
 public:
  Game(const Options& options, Report& report)
      : options_(options),
        report_(report),
        random_(static_cast<unsigned>(options.seed)),
        truth_{"", options.view, {}},
        bots_(options.bots),
        links_(*this) {
    std::random_device device;  // not the seed: it keeps the names of two runs against one server apart
    for (int i = 0; i < 5; ++i) truth_.tag += static_cast<char>('a' + device() % 26);
    truth_.tag += '-';
  }
  ~Game() {
    for (Bot& bot : bots_) {
      if (bot.link != nullptr) bot.link->close();
    }
  }

  void play() {
    for (std::size_t b = 0; b < bots_.size(); ++b) connect(b);
    const auto begin = Clock::now();
    auto next_look = begin;
    auto next_second = begin + 1s;
    while (playing_ || !settled()) {
      if (options_.stop != nullptr && *options_.stop) return;
      links_.wait(due_.empty() ? 10 : 1);
      const auto now = Clock::now();
      for (; playing_ && !due_.empty() && due_.top().first <= now; due_.pop()) next_move(due_.top().second);
      if (playing_) {
        report_.seconds = std::chrono::duration<double>(now - begin).count();
        playing_ = options_.moves > 0 ? finished_ < bots_.size() : report_.seconds < options_.seconds;
        settle_until_ = now + options_.patience;
      }
      if (now >= next_look) {
        look_for_silence(now);
        next_look = now + 50ms;
      }
      if (now >= next_second) {
        if (options_.on_second) options_.on_second(report_);
        next_second += 1s;
      }
    }
  }

 private:
  // --- the connection ---

  void connect(std::size_t b) {
    Bot bot;
    bot.link = &links_.connect(b, options_.host, options_.port);
    bot.life = truth_.lives.size();
    truth_.lives.push_back({.bot = b, .path = {}});
    bot.view = View(truth_, bot.life);
    bot.since = Clock::now();
    bot.moves = bots_[b].moves;
    bot.moves_in_life = options_.churn > 0 ? 1 + random_() % (2 * options_.churn) : 0;
    bot.right = random_() % 2 == 0;
    bot.down = random_() % 2 == 0;
    const std::string name = truth_.name(bot.life);
    bots_[b] = std::move(bot);
    ++report_.logins;
    send(bots_[b], std::string{static_cast<char>(lab::kHeaderSize + name.size()), lab::CS_LOGIN} + name);
  }

  void send(Bot& bot, const std::string& packet) {
    report_.bytes_sent += packet.size();
    bot.link->send(packet);
  }

  void close(Bot& bot, bool reset = false) {
    Link* const link = std::exchange(bot.link, nullptr);
    reset ? link->reset() : link->close();
  }

  void on_lost(Link& link) override {
    Bot& bot = bots_[link.bot];
    if (!link.half_closed) bot.view.fail("was disconnected by the server");
    close(bot);
    connect(link.bot);
  }

  std::size_t on_bytes(Link& link, std::string_view bytes) override {
    Bot& bot = bots_[link.bot];
    std::size_t done = 0;
    while (done < bytes.size() && bot.link == &link) {  // until it logs out
      const std::size_t length = static_cast<unsigned char>(bytes[done]);
      if (length < lab::kHeaderSize || length > lab::kMaxPacketSize) {
        bot.view.fail("got a packet of length " + std::to_string(length));
      }
      if (bytes.size() - done < length) break;
      told(link.bot, bytes.substr(done, length));
      done += length;
    }
    report_.bytes_received += done;
    return done;
  }

  // --- the game ---

  bool plays(const Bot& bot) const { return bot.view.logged_in() && !truth_.lives[bot.life].over; }

  void told(std::size_t b, std::string_view packet) {
    Bot& bot = bots_[b];
    const bool played = plays(bot);
    const std::size_t answered = played ? bot.view.answered() : 0;
    const std::uint64_t positions = bot.view.positions();
    bot.view.told(packet);
    report_.positions += bot.view.positions() - positions;
    if (!plays(bot)) return;
    const auto now = Clock::now();
    if (!played && options_.rate > 0) {
      due_.push({now + from_seconds(random_() % 1000 / 1000.0 / options_.rate), b});  // not all at the same time
    } else if (!played) {
      next_move(b);
    } else if (bot.view.answered() > answered) {
      for (std::size_t i = answered; i < bot.view.answered(); ++i) {
        const auto time = std::chrono::duration_cast<std::chrono::microseconds>(now - bot.asked.front());
        report_.latency.add(static_cast<std::uint64_t>(time.count()));
        bot.asked.pop_front();
      }
      if (options_.rate <= 0 && bot.asked.empty()) next_move(b);
    }
  }

  void next_move(std::size_t b) {
    Bot& bot = bots_[b];
    if (!playing_ || !plays(bot) || (options_.moves > 0 && bot.moves == options_.moves)) return;
    if (options_.churn > 0 && bot.moves_in_life-- == 0) return log_out(b);
    std::vector<Place>& path = truth_.lives[bot.life].path;
    Place place = path.back();
    const lab::Direction direction = choose(bot, place);
    if (direction == lab::Direction::up && place.y > 0) --place.y;
    if (direction == lab::Direction::down && place.y < 255) ++place.y;
    if (direction == lab::Direction::left && place.x > 0) --place.x;
    if (direction == lab::Direction::right && place.x < 255) ++place.x;
    path.push_back(place);
    const auto now = Clock::now();
    bot.asked.push_back(now);
    ++report_.moves;
    if (++bot.moves == options_.moves) ++finished_;
    if (options_.rate > 0) due_.push({std::max(due_.top().first, now - 1s) + from_seconds(1 / options_.rate), b});
    send(bot, {3, lab::CS_MOVE, static_cast<char>(direction)});
  }

  // Line by line through the whole world, so that a bot is seldom at one place twice. At an edge it sometimes makes a
  // move that leads nowhere; only when nothing else is unanswered, so that the answer is clear.
  lab::Direction choose(Bot& bot, Place place) {
    const lab::Direction ahead = bot.right ? lab::Direction::right : lab::Direction::left;
    if (place.x != (bot.right ? 255 : 0)) return ahead;
    bot.pushed = !bot.pushed && bot.asked.empty() && random_() % 2 == 0;
    if (bot.pushed) return ahead;
    bot.right = !bot.right;
    if (place.y == (bot.down ? 255 : 0)) bot.down = !bot.down;
    return bot.down ? lab::Direction::down : lab::Direction::up;
  }

  void log_out(std::size_t b) {
    Bot& bot = bots_[b];
    truth_.lives[bot.life].over = true;
    bot.asked.clear();
    bot.since = Clock::now();
    const unsigned how = random_() % 4;
    if (how == 0 && !bot.link->sending()) return bot.link->half_close();  // the server closes then; on_lost goes on
    if (how == 1) send(bot, {20, lab::CS_LOGIN, 'c', 'u', 't'});
    close(bot, how == 2);
    connect(b);
  }

  void look_for_silence(Clock::time_point now) const {
    for (const Bot& bot : bots_) {
      if (!bot.asked.empty() && now - bot.asked.front() > options_.patience) {
        bot.view.fail("was not told where its move led");
      }
      if (plays(bot) || now - bot.since <= options_.patience) continue;
      bot.view.fail(bot.link->half_closed ? "closed its side, but the server did not close the other"
                                          : "got no answer to its log-in");
    }
  }

  // Whether everybody knows what there is to know. Goes on where it stopped the last time.
  bool settled() {
    std::vector<std::size_t> lives;
    for (const Bot& bot : bots_) {
      if (!plays(bot) || !bot.asked.empty()) return false;  // look_for_silence has an eye on that
      lives.push_back(bot.life);
    }
    for (; settled_ < bots_.size(); ++settled_) {
      const std::string missing = bots_[settled_].view.missing(lives);
      if (missing.empty()) continue;
      if (Clock::now() > settle_until_) bots_[settled_].view.fail("was not told, in the end, " + missing);
      return false;
    }
    return true;
  }

  const Options& options_;
  Report& report_;
  std::minstd_rand random_;
  Truth truth_;
  std::vector<Bot> bots_;
  bool playing_ = true;
  std::size_t finished_ = 0;  // bots that have made all their moves
  std::size_t settled_ = 0;   // bots that know all that they should
  Clock::time_point settle_until_;
  using Due = std::pair<Clock::time_point, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;  // with a rate: who moves when
  Links links_;  // last: its destructor waits for what is pending
};

}  // namespace

Report run(const Options& options) {
  Report report;
  try {
    Game(options, report).play();
  } catch (const CheckFailed& failure) {
    report.outcome = Outcome::check_failed;
    report.failure = failure.text;
  } catch (const std::system_error& error) {
    report.outcome = Outcome::no_connection;
    report.failure = options.host + ":" + std::to_string(options.port) + ": " + error.what() + ", code " +
                     std::to_string(error.code().value());
  }
  return report;
}

}  // namespace bots
