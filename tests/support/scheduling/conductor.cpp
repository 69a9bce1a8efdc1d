#include "conductor.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "call_rules.h"
#include "calls.h"
#include "conducting.h"
#include "order.h"
#include "start.h"
#include "thread_end.h"

#ifndef _WIN32
#include <unistd.h>
#endif

namespace test {
namespace {

constexpr auto kLook = std::chrono::microseconds(100);  // how often a thread that does not stop is looked at
constexpr int kLooks = 4;                               // asleep that often in a row: it waits for a lock

// One thread of the code under test.
struct Actor {
  enum class At { running, stopped, waiting, locked_out, ended };
  std::string name;
  At at = At::running;
  std::string place;           // where it is stopped
  HANDLE port = nullptr;       // at `waiting`
  const void* mutex = nullptr;  // at `locked_out`
  int tries = 0;               // to lock it, while nobody else could go on
  long rank = 0;               // with every other seed the highest one goes on
  bool go = false;             // it was chosen
  std::optional<HandedPacket> packet;  // at `waiting`: what it was given
  bool blocked = false;        // running, but it waits for a lock
  int asleep = 0;              // looks in a row
  Clock::time_point since;     // it was let go
  long tid = 0;
  std::condition_variable changed;
};

// Whether the system says that the thread sleeps. On Windows it does not say, so time must.
bool sleeps(const Actor& actor) {
#ifdef _WIN32
  return Clock::now() - actor.since > std::chrono::milliseconds(30);
#else
  std::ifstream stat("/proc/self/task/" + std::to_string(actor.tid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const std::size_t end = text.rfind(')');
  return end != std::string::npos && end + 2 < text.size() && text[end + 2] == 'S';
#endif
}

long this_thread() {
#ifdef _WIN32
  return static_cast<long>(::GetCurrentThreadId());
#else
  return static_cast<long>(::gettid());
#endif
}

}  // namespace

struct Conductor::State {
  explicit State(std::uint64_t seed) : even(seed % 2 == 0), run(current_run()), random(seed) {}

  const std::thread::id owner = std::this_thread::get_id();
  const bool even;
  std::mutex mutex;  // protects what follows
  Run& run;
  Actor* last_actor = nullptr;          // the one that ran last, or
  std::optional<unsigned> last_client;  // the client that acted last
  std::condition_variable still;  // an actor stopped, waits or has ended
  bool over = false;
  Random random;
  std::deque<Actor> actors;  // their addresses are kept
  unsigned names = 0;
  struct Ready {
    HANDLE port;
    HandedPacket packet;
    std::uint64_t lane;
    std::string what;
  };
  std::vector<Ready> ready;  // out of the port, not handed out yet; in the order they came
  std::map<unsigned, std::deque<std::function<void()>>> actions;
  std::map<unsigned, long> client_ranks;
  long lowest = 0;
  std::vector<std::unique_ptr<Background>> calls;
  std::atomic<unsigned> calls_done{0};  // who reads it sees what they wrote
  bool patient = true;  // what was due has always come so far
  std::string trace;

  void wait_until_still(std::unique_lock<std::mutex>& lock);
  void collect(std::unique_lock<std::mutex>& lock);
  bool wait_for_the_blocked(std::unique_lock<std::mutex>& lock);
  std::size_t choose(const std::vector<Actor*>& able, const std::vector<unsigned>& clients);
  std::size_t draw(const std::vector<Actor*>& able, const std::vector<unsigned>& clients);
  std::size_t decide(std::size_t choices, std::size_t drawn, bool preempts);
  bool step(std::unique_lock<std::mutex>& lock);
  void stop_at(std::unique_lock<std::mutex>& lock, Actor& actor, Actor::At at, const std::string& place);
  HandedPacket take_ready(std::size_t index);
  std::vector<std::size_t> candidates(HANDLE port) const;
  // What the decision of this number led to.
  void note(std::size_t decision, const std::string& line) {
    trace += line + "\n";
    for (std::size_t i = decision; i < run.made.size(); ++i) run.made[i].what = line;
  }
};

namespace {

std::mutex current_mutex;  // protects `current`
std::shared_ptr<Conductor::State> current;  // the conductor at work
std::shared_ptr<Conductor::State> last;     // one that has gone; packets may be left in it
std::atomic<bool> conducting{false};
std::atomic<bool> leftovers{false};
std::atomic<std::uint64_t> shaking{0};  // seed + 1

std::shared_ptr<Conductor::State> conductor() {
  if (!conducting) return nullptr;
  std::lock_guard lock(current_mutex);
  return current;
}

// The actor of this thread, and its conductor.
thread_local Actor* my_actor = nullptr;
thread_local const Conductor::State* my_state = nullptr;

void become(Actor& actor, const std::shared_ptr<Conductor::State>& state) {
  my_actor = &actor;
  my_state = state.get();
  actor.tid = this_thread();
  at_thread_end([&actor, state] {  // keeps the state until then
    const OutOfSight hidden;
    std::lock_guard lock(state->mutex);
    actor.at = Actor::At::ended;
    state->still.notify_all();
  });
}

// Made at the thread's first call.
Actor& actor_of(const std::shared_ptr<Conductor::State>& state) {
  if (my_state != state.get()) {
    state->actors.emplace_back();
    state->actors.back().name = "thread " + std::to_string(++state->names);
    become(state->actors.back(), state);
  }
  return *my_actor;
}

// The conductor that this thread has to obey.
std::shared_ptr<Conductor::State> my_conductor() {
  auto state = conductor();
  if (state != nullptr && state->owner == std::this_thread::get_id()) return nullptr;
  return state;
}

void shake() {
  const std::uint64_t seed = shaking;
  if (seed == 0) return;
  static std::atomic<std::uint64_t> threads{0};
  thread_local Random random(seed * 1000 + threads++);
  const std::size_t n = random.below(64);
  if (n < 8) std::this_thread::yield();
  if (n == 9) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

// --- In the threads of the code under test ---------------------------------------------------------------------------

// Stops here until it is chosen.
void Conductor::State::stop_at(std::unique_lock<std::mutex>& lock, Actor& actor, Actor::At at, const std::string& place) {
  if (over) return;
  actor.at = at;
  actor.place = place;
  actor.blocked = false;
  actor.go = false;
  still.notify_all();
  actor.changed.wait(lock, [&] { return actor.go || over; });
  actor.at = Actor::At::running;
  actor.since = Clock::now();
  actor.asleep = 0;
}

void Conducting::stop(const char* when, const char* what) {
  const OutOfSight hidden;
  shake();
  if (const auto state = my_conductor()) {
    std::unique_lock lock(state->mutex);
    state->stop_at(lock, actor_of(state), Actor::At::stopped, std::string(when) + what);
  }
}

void yield_point(const char* what) { Conducting::stop("at ", what); }

bool Conducting::controls_this_thread() {
  return conducting && my_actor != nullptr && !OutOfSight::here() && !Unwatched::here();
}

void Conducting::wait_for_lock(const void* mutex) {
  const OutOfSight hidden;
  if (const auto state = my_conductor()) {
    std::unique_lock lock(state->mutex);
    Actor& actor = actor_of(state);
    actor.mutex = mutex;
    state->stop_at(lock, actor, Actor::At::locked_out, "to a lock");
  } else {
    std::this_thread::yield();  // the conductor goes just now
  }
}

void Conducting::unlocked(const void* mutex) {
  const OutOfSight hidden;
  if (const auto state = my_conductor()) {
    std::unique_lock lock(state->mutex);
    for (Actor& actor : state->actors) {
      if (actor.at != Actor::At::locked_out || actor.mutex != mutex) continue;
      actor.at = Actor::At::stopped;
      actor.tries = 0;
    }
    state->stop_at(lock, actor_of(state), Actor::At::stopped, "after an unlock");
  }
}

bool Conducting::wait(HANDLE port, HandedPacket& packet) {
  const auto state = my_conductor();
  if (state == nullptr) return leftovers && more(port, packet);
  std::unique_lock lock(state->mutex);
  Actor& actor = actor_of(state);
  actor.port = port;
  actor.packet.reset();
  state->stop_at(lock, actor, Actor::At::waiting, "");
  if (!actor.packet) {  // the conductor has gone
    lock.unlock();
    return more(port, packet);
  }
  packet = *actor.packet;
  return true;
}

bool Conducting::more(HANDLE port, HandedPacket& packet) {
  auto state = conductor();
  if (state == nullptr) {
    std::lock_guard lock(current_mutex);
    state = last;
  }
  if (state == nullptr) return false;
  std::unique_lock lock(state->mutex);
  const auto some = state->candidates(port);
  if (some.empty()) return false;
  packet = state->take_ready(some.front());
  return true;
}

DWORD Conducting::most_bytes(DWORD wanted) {
  static constexpr DWORD kSizes[] = {1, 2, 3, 5, 8, 13, 100, 1000};
  constexpr std::size_t kChoices = std::size(kSizes) + 1;  // the first is all of it
  const auto draw = [](Random& random) {
    const std::size_t n = random.below(std::size(kSizes) * 2);
    return n < std::size(kSizes) ? n + 1 : 0;
  };
  const auto size = [wanted](std::size_t choice) { return choice == 0 ? wanted : std::min(wanted, kSizes[choice - 1]); };
  if (const auto state = my_conductor()) {
    std::lock_guard lock(state->mutex);
    const bool enumerated = state->run.order.planned && state->run.order.seed == 0;
    if (state->over || enumerated) return wanted;
    const DWORD most = size(state->decide(kChoices, draw(state->random), false));
    state->run.made.back().what = actor_of(state).name + " receives at most " + std::to_string(most) + " bytes";
    return most;
  }
  const std::uint64_t seed = shaking;
  if (seed == 0) return wanted;
  thread_local Random random(seed * 77);
  return random.below(4) == 0 ? size(draw(random)) : wanted;
}

// --- In the test's own thread ----------------------------------------------------------------------------------------

// Waits until no actor runs. One that waits for a lock counts as still, until it runs again.
void Conductor::State::wait_until_still(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    bool anybody = false;
    for (Actor& actor : actors) {
      anybody = anybody || (actor.at == Actor::At::running && !actor.blocked);
    }
    if (!anybody) return;
    if (still.wait_for(lock, kLook) == std::cv_status::no_timeout) continue;
    for (Actor& actor : actors) {
      if (actor.at != Actor::At::running || actor.blocked) continue;
      // One that runs for so long goes round in a loop, perhaps until a stopped one lets go of a lock of its own making.
      const bool spins = Clock::now() - actor.since > std::chrono::milliseconds(200);
      actor.asleep = spins || sleeps(actor) ? actor.asleep + 1 : 0;
      if (actor.asleep >= kLooks) actor.blocked = true;
    }
  }
}

// Takes out of the ports what is there, and waits for what is due: bytes that a client has sent, also when no receive takes
// them yet, the end of a connection, sends.
void Conductor::State::collect(std::unique_lock<std::mutex>& lock) {
  const auto deadline = Clock::now() + patience() / 10;
  for (;;) {
    bool any = false;
    const bool due = patient && call_rules().more_is_due();
    for (const HANDLE port : call_rules().open_ports()) {
      for (;;) {
        HandedPacket packet;
        OVERLAPPED* overlapped = nullptr;
        lock.unlock();
        std::optional<InSight> seen(std::in_place);
        packet.ok = win32::real_calls().GetQueuedCompletionStatus(port, &packet.entry.dwNumberOfBytesTransferred,
                                                                  &packet.entry.lpCompletionKey, &overlapped,
                                                                  due && !any ? 1 : 0) != FALSE;
        packet.error = packet.ok ? 0 : ::GetLastError();
        seen.reset();
        lock.lock();
        packet.entry.lpOverlapped = overlapped;
        if (!packet.any()) break;
        any = true;
        const std::uint64_t lane = call_rules().lane_of(overlapped);
        if (lane != 0) packet.entry.Internal = overlapped->Internal;
        std::string what = call_rules().name_of_operation(overlapped);
        if (lane != 0) what += ", " + std::to_string(packet.entry.dwNumberOfBytesTransferred) + " bytes";
        call_rules().out_of_port(overlapped, packet.entry.dwNumberOfBytesTransferred);
        ready.push_back({port, packet, lane, what});
      }
    }
    if (!patient || !call_rules().more_is_due()) return;
    if (Clock::now() > deadline) patient = false;  // a wrong program: waiting each time would look like a hang
  }
}

// The packets of this port that may come next: the first of each lane.
std::vector<std::size_t> Conductor::State::candidates(HANDLE port) const {
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < ready.size(); ++i) {
    if (ready[i].port != port) continue;
    const bool later = std::any_of(first.begin(), first.end(), [&](std::size_t k) { return ready[k].lane == ready[i].lane; });
    if (!later) first.push_back(i);
  }
  // In an order that does not depend on which of them the kernel reported first.
  std::sort(first.begin(), first.end(), [this](std::size_t a, std::size_t b) { return ready[a].lane < ready[b].lane; });
  return first;
}

HandedPacket Conductor::State::take_ready(std::size_t index) {
  const HandedPacket packet = ready[index].packet;
  ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(index));
  return packet;
}

// Nobody can go on but threads that seem to wait for a lock. Nobody holds it, then: they come soon. True when one did.
bool Conductor::State::wait_for_the_blocked(std::unique_lock<std::mutex>& lock) {
  // A mutex can be unlocked unseen: by a wait for a condition, or by a helper thread that makes no call of its own.
  constexpr int kAtOnce = 3, kMost = 1000;  // tries to lock it; the later ones a moment apart
  bool again = false, soon = false;
  for (Actor& actor : actors) {
    if (actor.at != Actor::At::locked_out || actor.tries >= kMost) continue;
    soon = soon || ++actor.tries <= kAtOnce;
    actor.at = Actor::At::stopped;
    again = true;
  }
  if (again && !soon) still.wait_for(lock, 10 * kLook);
  if (again) return true;
  const auto waits = [](const Actor& actor) { return actor.at == Actor::At::running; };
  const auto count = std::count_if(actors.begin(), actors.end(), waits);
  if (count == 0) return false;
  // They may wait for a helper thread, which comes to its first call now.
  const auto stopped = [](const Actor& actor) { return actor.at == Actor::At::stopped; };
  return still.wait_for(lock, patience() / 5, [&] {
    return std::any_of(actors.begin(), actors.end(), stopped) || std::count_if(actors.begin(), actors.end(), waits) < count;
  });
}

// Takes the planned choice, or the one that was drawn, and notes it.
std::size_t Conductor::State::decide(std::size_t choices, std::size_t drawn, bool preempts) {
  const std::size_t taken = run.order.planned ? run.planned_choice(choices) : drawn;
  run.made.push_back({choices, taken, preempts});
  return taken;
}

// Returns the index of the next one: `able`, then `clients`. The usual choice is the one that ran last, if it can go on.
std::size_t Conductor::State::choose(const std::vector<Actor*>& able, const std::vector<unsigned>& clients) {
  const std::size_t count = able.size() + clients.size();
  std::size_t usual = count;
  for (std::size_t i = 0; i < count; ++i) {
    const bool ran_last = i < able.size() ? able[i] == last_actor : last_client == clients[i - able.size()];
    if (ran_last) usual = i;
  }
  const bool preempts = usual < count;
  if (!preempts) usual = 0;
  const std::size_t drawn = run.order.planned ? usual : draw(able, clients);
  // The usual one is choice 0; those before it move one up.
  const std::size_t choice = decide(count, drawn == usual ? 0 : drawn < usual ? drawn + 1 : drawn, preempts);
  const std::size_t chosen = choice == 0 ? usual : choice <= usual ? choice - 1 : choice;
  last_actor = chosen < able.size() ? able[chosen] : nullptr;
  last_client = chosen < able.size() ? std::nullopt : std::optional(clients[chosen - able.size()]);
  return chosen;
}

// With an even seed each one is as likely, each time. With an odd one it is always the same, until it is sent behind
// all others; so one thread can be suspended in the middle of something while the others do a lot.
std::size_t Conductor::State::draw(const std::vector<Actor*>& able, const std::vector<unsigned>& clients) {
  const std::size_t count = able.size() + clients.size();
  if (even) return random.below(count);
  const auto rank = [&](std::size_t i) -> long& {
    return i < able.size() ? able[i]->rank : client_ranks[clients[i - able.size()]];
  };
  const auto highest = [&] {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i) best = rank(i) > rank(best) ? i : best;
    return best;
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (rank(i) == 0) rank(i) = 1 + static_cast<long>(random.below(1000));
  }
  // The best moment to stand still is right after an operation was posted: its completion may come before the call returns.
  const std::size_t best = highest();
  const bool has_posted = best < able.size() && able[best]->place.starts_with("after WSA");
  if (random.below(has_posted ? 4 : 24) == 0) rank(best) = --lowest;
  return highest();
}

// One decision. False when there is none to make.
bool Conductor::State::step(std::unique_lock<std::mutex>& lock) {
  wait_until_still(lock);
  collect(lock);
  std::vector<Actor*> able;
  std::vector<unsigned> clients;
  for (Actor& actor : actors) {
    if (actor.at == Actor::At::stopped) able.push_back(&actor);
    if (actor.at == Actor::At::waiting && !candidates(actor.port).empty()) able.push_back(&actor);
  }
  for (const auto& [client, left] : actions) {
    if (!left.empty()) clients.push_back(client);
  }
  if (able.empty() && clients.empty()) return wait_for_the_blocked(lock);

  const std::size_t decision = run.made.size();
  const std::string suspended = last_actor != nullptr && last_actor->at == Actor::At::stopped ? last_actor->name + " is suspended " + last_actor->place : "";
  const Actor* const before = last_actor;
  const std::size_t n = choose(able, clients);
  const std::string meanwhile = suspended.empty() || last_actor == before ? "" : "; " + suspended;
  if (n >= able.size()) {
    const unsigned client = clients[n - able.size()];
    const auto action = std::move(actions[client].front());
    actions[client].pop_front();
    note(decision, "client " + std::to_string(client) + " acts" + meanwhile);
    lock.unlock();
    {
      const InSight seen;
      action();
    }
    lock.lock();
    return true;
  }
  Actor& actor = *able[n];
  if (actor.at == Actor::At::waiting) {
    const auto some = candidates(actor.port);
    const std::size_t index = some[decide(some.size(), random.below(some.size()), false)];
    note(decision, actor.name + " gets " + ready[index].what + meanwhile);
    actor.packet = take_ready(index);
  } else {
    note(decision, actor.name + " goes on " + actor.place + meanwhile);
  }
  // What this one does may end another one's wait. A thread that was just woken may be called asleep for a moment.
  for (Actor& other : actors) {
    other.blocked = false;
    other.asleep = 0;
  }
  actor.at = Actor::At::running;  // so that it counts as running before it has woken up
  actor.since = Clock::now();
  actor.go = true;
  actor.changed.notify_all();
  return true;
}

Conductor::Conductor(std::uint64_t seed) : state_(std::make_shared<State>(seed)) {
  static_cast<void>(Conducting::locks_are_known());  // links locks.cpp
  const OutOfSight hidden;
  std::lock_guard lock(current_mutex);
  current = state_;
  last = nullptr;
  leftovers = false;
  conducting = true;
}

Conductor::~Conductor() {
  {
    const OutOfSight hidden;
    {
      std::lock_guard lock(current_mutex);
      current = nullptr;
      last = state_;
      conducting = false;
    }
    std::lock_guard lock(state_->mutex);
    leftovers = !state_->ready.empty();
    state_->over = true;
    for (Actor& actor : state_->actors) actor.changed.notify_all();
  }
  state_->calls.clear();
}

void Conductor::wait_for_threads(unsigned count) {
  const auto stopped = [&] {
    const OutOfSight hidden;
    std::lock_guard lock(state_->mutex);
    return static_cast<unsigned>(std::count_if(state_->actors.begin(), state_->actors.end(), [](const Actor& actor) {
             return actor.at == Actor::At::stopped || actor.at == Actor::At::waiting;
           })) >= count;
  };
  check_eventually(std::to_string(count) + " threads run and come to a call", stopped);
}

void Conductor::call(const std::string& what, std::function<void()> body) {
  Actor* actor = nullptr;
  {
    const OutOfSight hidden;
    std::lock_guard lock(state_->mutex);
    state_->actors.emplace_back();
    actor = &state_->actors.back();
    actor->name = what + " " + std::to_string(++state_->names);
  }
  // The thread is known before it runs, so a decision waits for it.
  state_->calls.push_back(std::make_unique<Background>(what, [actor, state = state_, body = std::move(body)] {
    {
      const OutOfSight quiet;
      std::unique_lock lock(state->mutex);
      become(*actor, state);
      state->stop_at(lock, *actor, Actor::At::stopped, "from the beginning");
    }
    body();
    ++state->calls_done;
    // On Wine a send that is pending when its thread ends may never complete: so the thread stays.
    const OutOfSight quiet;
    std::unique_lock lock(state->mutex);
    actor->at = Actor::At::ended;
    state->still.notify_all();
    actor->changed.wait(lock, [&] { return state->over; });
  }));
  const OutOfSight hidden;
  std::unique_lock lock(state_->mutex);
  state_->still.wait(lock, [&] { return actor->at == Actor::At::stopped; });
}

void Conductor::act(unsigned actor, std::function<void()> action) {
  std::lock_guard lock(state_->mutex);
  state_->actions[actor].push_back(std::move(action));
}

void Conductor::play() {
  {
    const OutOfSight hidden;
    const auto deadline = Clock::now() + 3 * patience();
    std::unique_lock lock(state_->mutex);
    while (state_->step(lock)) {
      if (Clock::now() > deadline) {
        lock.unlock();
        fail("expected that the threads come to rest, but they go on and on");
      }
    }
  }
  static_cast<void>(state_->calls_done.load());
  for (auto call = state_->calls.begin(); call != state_->calls.end();) {
    if (!(*call)->finished()) {
      ++call;
      continue;
    }
    const std::unique_ptr<Background> ended = std::move(*call);
    call = state_->calls.erase(call);
    ended->finish();
  }
}

Random& Conductor::random() { return state_->random; }

std::string Conductor::trace() const {
  std::lock_guard lock(state_->mutex);
  return state_->trace;
}

Shaker::Shaker(std::uint64_t seed) { shaking = seed + 1; }
Shaker::~Shaker() { shaking = 0; }

unsigned seeds_to_play(unsigned native) {
  if (start_setting("LAB_SEED") != nullptr) return 1;
  return slowness() > 1 ? std::max(1u, native / 5) : native;
}

namespace {

// The order of this name in LAB_SEED, or the one of the running test in LAB_FIRST: "Lab04.SeedsOfLeaving=17;...".
std::optional<Order> asked_for() {
  const char* const text = start_setting("LAB_SEED");
  return text == nullptr ? std::nullopt : Order::parse(text);
}

std::optional<Order> failed_before(bool enumerated) {
  const char* const all = start_setting("LAB_FIRST");
  const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (all == nullptr || test == nullptr) return std::nullopt;
  const std::string text = std::string(";") + all + ";", name = std::string(";") + test->test_suite_name() + "." + test->name() + "=";
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t from = at + name.size();
  const std::optional<Order> order = Order::parse(text.substr(from, text.find(';', from) - from));
  return order && (order->seed == 0) == enumerated ? order : std::nullopt;
}

void play_order(const Order& order, const std::function<void(std::uint64_t)>& body) {
  begin_seed(order.text());
  begin_run(order);
  try {
    body(order.seed);
  } catch (...) {
    print_decisions(current_run().as_made().text(), current_run().in_words());
    begin_run({});
    throw;
  }
}

std::string with_commas(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

}  // namespace

void for_each_seed(unsigned native, const std::function<void(std::uint64_t)>& body) {
  if (const auto order = asked_for()) return play_order(*order, body);
  if (const auto order = failed_before(false)) play_order(*order, body);
  for (std::uint64_t seed = 1; seed <= seeds_to_play(native); ++seed) {
    if (seed > 1 && time_left() < 2 * patience()) break;  // a busy machine, or a correct program that is slow
    play_order(Order{seed, std::nullopt}, body);
  }
  begin_run({});
  end_seeds();
}

void for_each_order(unsigned preemptions, const std::function<void(std::uint64_t)>& body) {
  if (const auto order = asked_for()) return play_order(*order, body);
  if (const auto order = failed_before(true)) play_order(*order, body);
  Orders orders(preemptions);
  const auto deadline = Clock::now() + time_left() / 4;
  bool all = true, exact = true;
  while (const auto order = orders.next()) {
    play_order(*order, body);
    orders.played(current_run().made);
    exact = exact && !current_run().diverged();
    all = Clock::now() < deadline;
    if (!all) break;
  }
  const std::string count = with_commas(orders.count());
  const auto at_most = [](std::size_t number) { return "at most " + std::to_string(number) + (number == 1 ? " preemption" : " preemptions"); };
  std::string text = "every order with " + at_most(preemptions) + ": " + count;
  if (!all) text = count + " orders" + (orders.level() == 0 ? "" : ", all with " + at_most(orders.level() - 1));
  if (!exact) text = count + " orders with " + at_most(preemptions) + "; some came out otherwise, so there may be more";
  print_orders(text);
  begin_run({});
  end_seeds();
}

}  // namespace test
