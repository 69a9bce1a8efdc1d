// The record of a test for a person who wants to see it: what each thread called, which operations were out, what the
// clients did. With LAB_TIMELINE=file a test program writes it; without, all of this does nothing.
//
// The file is a JSON array in Chrome's trace event format: Perfetto and chrome://tracing show it. It is mapped into
// memory: recording makes no call into the system, and the file is whole however the process ends. Each line is a slot of
// a fixed size, padded with blanks. A bar that has begun is a "B"; when it ends its slot becomes an "X". The first events
// of a test, or of its last seed, are kept, and the last ones. What was between is lost; line 3 says how much.
//
// Threads: CallRules calls it, under its lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "waiting.h"

namespace test {

class Timeline {
 public:
  // What a bar is about. What is not known is not told.
  struct Facts {
    unsigned client = 0;
    unsigned listener = 0;
    std::uint64_t operation = 0;
    unsigned packets = 0;  // that the call took out of a port; told when there are several
    long long bytes = -1;
    bool posted = false;  // a packet that somebody posted came out of the port
    bool pending = false;
    bool failed = false;
    unsigned long error = 0;
  };
  struct Bar {
    std::uint64_t number = 0;  // 0: it is not recorded
    std::size_t slot = 0;
    unsigned process = 0;
    unsigned lane = 0;
    const char* name = "";
    double start = 0;
    Facts facts;
  };

  void open(const char* file);  // says so when that is not possible
  bool recording() const { return file_ != nullptr; }
  void restart();

  Bar call(unsigned thread, const char* name, const Facts& facts);  // thread 0 is the test's own
  Bar operation(bool is_send, const Facts& facts);
  void end(Bar& bar);
  void moment_of_thread(unsigned thread, const char* text, bool failed = false);
  void moment_of_client(unsigned client, const char* text);

 private:
  static constexpr std::size_t kSlot = 208;  // bytes
  static constexpr std::size_t kFile = 256 * 1024;
  static constexpr std::size_t kHead = 3;
  static constexpr std::size_t kLanes = 96;
  static constexpr std::size_t kEvents = kFile / kSlot - kHead - kLanes - 1;  // one is left for the closing bracket
  static constexpr std::size_t kFirst = kEvents / 4;
  static constexpr std::size_t kClients = 1024;

  struct Held {
    std::uint64_t number = 0;
    bool open = false;
  };

  double now() const { return std::chrono::duration<double, std::micro>(Clock::now() - began_).count(); }
  void print(std::size_t slot, const char* format, ...);
  bool know_lane(unsigned process, unsigned lane);
  std::size_t free_slot();
  void begin(Bar& bar);
  void write(const Bar& bar, bool over);
  void moment(unsigned process, unsigned lane, const char* text, bool failed);

  char* file_ = nullptr;
  Clock::time_point began_;
  std::uint64_t last_number_ = 0;   // never goes back: a bar of an older test is known by it
  std::uint64_t first_number_ = 1;  // since restart()
  std::size_t used_ = 0;            // slots of events
  std::size_t next_ = kFirst;       // the slot to be used again, when all are used
  std::uint64_t lost_ = 0;
  std::array<Held, kEvents> held_{};
  std::array<unsigned, kLanes> lanes_{};
  std::size_t lane_count_ = 0;
  std::array<std::uint16_t, kClients> busy_{};  // of each client a bit for each lane that has an operation now
};

}  // namespace test
