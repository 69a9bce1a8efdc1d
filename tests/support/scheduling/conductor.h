// Deterministic scheduling: a seed or an order chooses the interleaving.
//
// Shaker: the threads run freely; the seed makes them yield at calls, and cuts what is received.
// Conductor: between two calls through the seam only one thread of the code under test runs; the conductor decides which
// one is next, which completion it gets, and how the bytes are cut. The decisions can be replayed.
//
//   for_each_seed(30, [](std::uint64_t seed) {
//     TestServer server;
//     Conductor conductor(seed);
//     server.start(3);
//     conductor.wait_for_threads(3);                       // they wait for a packet
//     conductor.act(1, [&] { first.send("hello"); });      // actions of one client keep their order
//     conductor.act(2, [&] { second.abort(); });
//     conductor.call("send_bytes", [&] { send(server, first, "news"); });
//     conductor.play();                                    // until no thread can run
//   });
//
// What is decided: which thread runs; which completion a waiting thread gets, of those that are there (those of one
// socket and direction stay in order); when a client acts; how many bytes a receive takes at most. Each call is two
// places where another thread may run: before it, and after it. So is what the harness gives to the code under test:
// acquire, release, and the handler.
//
// for_each_seed draws the decisions. for_each_order enumerates them: the usual decision is to go on with the thread that
// runs; a preemption runs another one although this one could go on. All orders with at most two preemptions are played
// (the bound of CHESS, Musuvathi and Qadeer 2007), those with fewer first. Bytes are not cut then.
//
// What is not decided: what happens between two threads inside of one such step, when one of them waits for a lock
// that the other one unlocks. Under Wine a thread that waits for a lock is known by time alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "seam.h"
#include "story.h"

namespace test {

// Numbers that depend on the seed alone.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {  // SplitMix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

 private:
  std::uint64_t state_;
};

// How many seeds a test should play: `native`, a fifth of it under Wine and sanitizers; one when LAB_SEED is set.
unsigned seeds_to_play(unsigned native);

// Calls body(seed) for each seed, and prints it first: "seed: 7". With LAB_SEED set, for that seed alone. What failed at
// the last check (LAB_FIRST) is played first.
void for_each_seed(unsigned native, const std::function<void(std::uint64_t)>& body);

// Calls body(0) for every order of its conductors with at most `preemptions` preemptions (order.h), and prints each first:
// "seed: 0/12.1". At the end it prints "orders: every order with at most 2 preemptions: 1284", or what it came to in
// a quarter of the test's time. The body must not depend on anything but the seed. With LAB_SEED set, for that order alone.
void for_each_order(unsigned preemptions, const std::function<void(std::uint64_t)>& body);

class Conductor {
 public:
  // From now on threads of the code under test stop at their next call. One conductor at a time. The thread that makes
  // it is the test's own: its calls are not ordered.
  explicit Conductor(std::uint64_t seed);
  ~Conductor();  // from here on all threads run freely
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;

  // Waits until that many threads have come to a call.
  void wait_for_threads(unsigned count);

  // A function of the code under test, on a thread of its own, which play() runs. The thread stays until the conductor
  // goes: on Wine a send may never complete whose thread has ended.
  void call(const std::string& what, std::function<void()> body);
  // What a client does. Actions of one actor keep their order.
  void act(unsigned actor, std::function<void()> action);

  // Runs all threads, one at a time, until none is runnable: all wait for a packet, and none is due. A call() that threw
  // throws here.
  void play();

  Random& random();
  // What was decided so far, one line for each decision; the same for the same seed.
  std::string trace() const;

  struct State;  // for conductor.cpp

 private:
  std::shared_ptr<State> state_;
};

// From now on threads of the code under test yield here and there at their calls, and receives take fewer bytes.
class Shaker {
 public:
  explicit Shaker(std::uint64_t seed);
  ~Shaker();
  Shaker(const Shaker&) = delete;
  Shaker& operator=(const Shaker&) = delete;
};

// For the harness: another thread may run here. `what` is for the trace.
void yield_point(const char* what);

}  // namespace test
