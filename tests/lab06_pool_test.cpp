// Lab 06: the pool, alone and under the game.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <type_traits>
#include <utility>

#ifdef _WIN32
#include <malloc.h>
#endif

#include "bots.h"
#include "call_rules.h"
#include "child_process.h"
#include "conductor.h"
#include "crowd.h"
#include "game_server.h"
#include "interrupted.h"
#include "net.h"
#include "pool.h"
#include "protocol.h"
#include "story.h"

// --- what the code under test takes from the heap and gives back ---

namespace {

// Of the thread that sets it. Fixed in size, because it is used inside of new and delete.
struct Watch {
  bool on = false;
  std::uint64_t news = 0;
  struct Allocation {
    const char* begin;
    std::size_t size;
    bool freed;
  };
  Allocation allocations[1024];
  std::size_t count = 0;
  std::size_t large = 0;            // a `new` of so many bytes or more
  void (*after_large)() = nullptr;  // is followed by this call, once
  std::size_t fails_after = 0;      // of so many `new` of this size or more, the last has no memory; 0: none of them
  std::size_t fails_from = sizeof(lab::OverlappedEx);
  std::size_t room = SIZE_MAX;      // so many bytes are left; a `new` of more has no memory
  bool keeps = false;               // what is deleted is filled with nonsense and not freed, so no later `new` gets it
  std::size_t rubbish = 0;          // so many bytes that mean nothing stand behind each `new` of operations

  void took(void* memory, std::size_t size) {
    ++news;
    if (count < 1024) allocations[count++] = {static_cast<const char*>(memory), size, false};
  }
  void gave_back(const void* memory) {
    for (std::size_t i = 0; i < count; ++i) {
      if (allocations[i].begin == memory) allocations[i].freed = true;
    }
  }
  // What was allocated around this address; null when it did not come from `new`.
  const Allocation* around(const void* address) const {
    const auto* const at = static_cast<const char*>(address);
    for (std::size_t i = 0; i < count; ++i) {
      if (at >= allocations[i].begin && at < allocations[i].begin + allocations[i].size) return &allocations[i];
    }
    return nullptr;
  }
};
thread_local Watch watch;
constexpr std::size_t kFilled = 64 * 1024;  // so many bytes of each `new` mean nothing: memory is not zero

constexpr std::size_t kTooLarge = std::size_t{1} << 38;  // a sanitizer ends the process instead of returning null

void* take(std::size_t size, std::size_t alignment) {
  if (size >= kTooLarge) throw std::bad_alloc();
  const std::size_t rubbish = size >= sizeof(lab::OverlappedEx) ? watch.rubbish : 0;
  if (watch.fails_after > 0 && size >= watch.fails_from && --watch.fails_after == 0) throw std::bad_alloc();
  if (watch.room != SIZE_MAX) {
    if (size > watch.room) throw std::bad_alloc();
    watch.room -= size;
  }
  size = std::max<std::size_t>(size, 1) + rubbish;
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    memory = std::malloc(size);
  } else {
#ifdef _WIN32
    memory = ::_aligned_malloc(size, alignment);
#else
    memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
#endif
  }
  if (memory == nullptr) throw std::bad_alloc();
  size -= rubbish;
  std::memset(memory, 0xA7, std::min(size, kFilled));
  std::memset(static_cast<char*>(memory) + size, 0xE5, rubbish);
  if (watch.on) watch.took(memory, size);
  if (watch.after_large != nullptr && size >= watch.large) std::exchange(watch.after_large, nullptr)();
  return memory;
}

// What was not freed while `keeps` was on; a leak checker finds it here.
void* volatile kept[256];  // volatile: nothing reads it but the leak checker
std::size_t kept_count = 0;
bool keep(void* memory) {
  std::size_t last = watch.count;  // the last `new` that gave this memory
  while (last > 0 && watch.allocations[last - 1].begin != memory) --last;
  if (last == 0 || kept_count == std::size(kept)) return false;
  std::memset(memory, 0xD5, watch.allocations[last - 1].size);
  kept[kept_count++] = memory;
  return true;
}

void give_back(void* memory) {
  if (watch.on) watch.gave_back(memory);
  if (watch.keeps && keep(memory)) return;
  std::free(memory);
}

void give_back_aligned(void* memory) {
  if (watch.on) watch.gave_back(memory);
#ifdef _WIN32
  ::_aligned_free(memory);
#else
  std::free(memory);
#endif
}

}  // namespace

// All forms: the sanitizers' own forms of new[] do not call operator new.
void* operator new(std::size_t size) { return take(size, 1); }
void* operator new[](std::size_t size) { return take(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept try {
  return take(size, 1);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept try {
  return take(size, 1);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back_aligned(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give_back_aligned(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back_aligned(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give_back_aligned(memory); }

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define LEAK_ON_PURPOSE __lsan::ScopedDisabler leak_on_purpose
#else
#define LEAK_ON_PURPOSE static_cast<void>(0)
#endif

using namespace test;
using lab::OperationPool;
using lab::OpKind;
using lab::OverlappedEx;
using lab::PoolPolicy;

namespace {

const char* const kStep1 = "lab06_pool/README.md#step-1";
const char* const kStep2 = "lab06_pool/README.md#step-2";
const char* const kStep3 = "lab06_pool/README.md#step-3";
const char* const kStep4 = "lab06_pool/README.md#step-4";
const char* const kStep5 = "lab06_pool/README.md#step-5";
const char* const kProgram = "lab06_pool/README.md#what-failing-tests-mean";

std::vector<OverlappedEx*> acquire_all(OperationPool& pool, std::size_t count) {
  std::vector<OverlappedEx*> ops;
  for (std::size_t i = 0; i < count; ++i) {
    ops.push_back(pool.acquire(i % 2 == 0 ? OpKind::recv : OpKind::send));
    if (ops.back() == nullptr) fail("expected that acquire " + to_text(i + 1) + " of " + to_text(count) + " gives an operation");
  }
  return ops;
}

void release_all(OperationPool& pool, const std::vector<OverlappedEx*>& ops) {
  for (OverlappedEx* op : ops) check("release takes back what is out", pool.release(op));
}

// The pool has no memory for the nth `new` of its constructor. False: it did not call so many.
bool make_without_memory(std::size_t nth) {
  watch.count = 0;
  watch.on = true;
  watch.fails_from = 1;
  watch.fails_after = nth;
  bool thrown = false;
  try {
    const OperationPool pool(4, PoolPolicy::growing);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  watch.on = false;
  watch.fails_from = sizeof(OverlappedEx);
  const bool failed = std::exchange(watch.fails_after, 0) == 0;
  if (!failed) return false;
  check("the constructor throws std::bad_alloc when there is no memory", thrown);
  for (std::size_t i = 0; i < watch.count; ++i) check("nothing is left behind then", watch.allocations[i].freed);
  return true;
}

void check_distinct(std::vector<OverlappedEx*> ops) {
  std::sort(ops.begin(), ops.end());
  for (const OverlappedEx* op : ops) {
    check("the address of an operation is a multiple of " + to_text(alignof(OverlappedEx)),
          reinterpret_cast<std::uintptr_t>(op) % alignof(OverlappedEx) == 0);
  }
  for (std::size_t i = 0; i + 1 < ops.size(); ++i) {
    const auto distance = reinterpret_cast<std::uintptr_t>(ops[i + 1]) - reinterpret_cast<std::uintptr_t>(ops[i]);
    check("no two operations are the same", distance != 0);
    check("no two operations overlap in memory", distance >= sizeof(OverlappedEx));
  }
}

bool is_zero(const OVERLAPPED& overlapped) {
  return overlapped.Internal == 0 && overlapped.InternalHigh == 0 && overlapped.Offset == 0 &&
         overlapped.OffsetHigh == 0 && overlapped.hEvent == nullptr;
}

// What is wrong with a block that has just been acquired; empty: nothing.
std::string fault_of(const OverlappedEx& op, OpKind kind) {
  if (op.kind != kind) return "its kind is not the one that was asked for";
  if (op.wsabuf.buf != op.buffer) return "its wsabuf does not begin at its buffer";
  if (op.wsabuf.len != lab::kBufferSize) return "its wsabuf has the length " + to_text(op.wsabuf.len);
  if (!is_zero(op.overlapped)) return "its OVERLAPPED is not zero";
  if (op.connection != nullptr) return "it has a connection";
  return "";
}

void check_as_new(const OverlappedEx& op, OpKind kind) {
  const std::string fault = fault_of(op, kind);
  if (!fault.empty()) fail("expected an operation as good as new, but " + fault);
}

// Leaves traces everywhere, as an operation does that has been used.
void use(OverlappedEx& op, const std::shared_ptr<lab::Connection>& connection) {
  std::memset(&op.overlapped, 0x5A, sizeof op.overlapped);
  op.wsabuf = {6, op.buffer + 2};
  op.connection = connection;
  std::memset(op.buffer, 0x77, sizeof op.buffer);
}

// Two threads meet again and again, so that what follows happens at the same moment.
class Meeting {
 public:
  // Waits for the other one. True when both were running at that moment, each on a processor of its own.
  bool meet() {
    const unsigned turn = arrived_++ / 2;
    int spins = 0;
    while (arrived_ < 2 * (turn + 1) && !over_) {
      if (++spins > 5000) std::this_thread::yield();
    }
    return spins <= 5000;
  }
  void leave() { over_ = true; }  // nobody waits any more

 private:
  std::atomic<unsigned> arrived_{0};
  std::atomic<bool> over_{false};
};

std::size_t rounds(std::size_t natively) {
  return static_cast<std::size_t>(static_cast<double>(natively) / slowness());
}

}  // namespace

// --- TODO 1 and 2: the operations ---

LAB_TEST(Lab06, OperationsAreWholeAndApart, "N11", kStep2) {
  STEP("40 operations are acquired from a pool of 40");
  OperationPool pool(40, PoolPolicy::bounded);
  watch.count = 0;
  watch.on = true;
  const auto ops = acquire_all(pool, 40);
  watch.on = false;
  check_distinct(ops);
  for (const OverlappedEx* op : ops) check("it was made with the pool, not in acquire", watch.around(op) == nullptr);
  STEP("each buffer is filled in another way, then all are looked at");
  for (std::size_t i = 0; i < ops.size(); ++i)
    std::memset(ops[i]->buffer, static_cast<int>(i + 1), sizeof ops[i]->buffer);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    check("nobody else has written into the buffer of operation " + to_text(i + 1),
          std::all_of(ops[i]->buffer, ops[i]->buffer + sizeof ops[i]->buffer,
                      [&](char byte) { return byte == static_cast<char>(i + 1); }));
    check_as_new(*ops[i], i % 2 == 0 ? OpKind::recv : OpKind::send);
  }
  release_all(pool, ops);
  STEP("a pool of one operation is made");
  OperationPool small(1, PoolPolicy::bounded);
  OverlappedEx* const op = small.acquire(OpKind::send);
  check("it gives one", op != nullptr);
  check("it gives no second one", small.acquire(OpKind::send) == nullptr);
  check("release takes it back", small.release(op));
  for (const PoolPolicy policy : {PoolPolicy::bounded, PoolPolicy::growing}) {
    STEP(std::string("a ") + (policy == PoolPolicy::bounded ? "bounded" : "growing") + " pool of 0 is made: it has one");
    OperationPool none(0, policy);
    check_equal("its capacity", none.stats().capacity, 1);
    release_all(none, acquire_all(none, 1));
    check_equal("its capacity", none.stats().capacity, 1);
  }
  STEP("a pool is made, and the system has no memory for one part of it");
  for (std::size_t nth = 1; nth < 100 && make_without_memory(nth); ++nth) {
  }
  for (const std::size_t blocks : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8 + 1, (std::size_t{1} << 32) + 1}) {
    STEP("a pool of " + to_text(blocks) + " operations cannot be made");
    watch.room = 64 * 1024 * 1024;
    std::size_t capacity = 0;
    try {
      capacity = OperationPool(blocks, PoolPolicy::bounded).stats().capacity;
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    watch.room = SIZE_MAX;
    check_equal("the capacity of a pool that cannot be made: the constructor throws", capacity, 0);
  }
}

// --- TODO 3: acquire ---

LAB_TEST(Lab06, AnOldOperationIsAsGoodAsNew, "N12", kStep3) {
  OperationPool pool(6, PoolPolicy::bounded);
  const auto connection = std::make_shared<lab::Connection>();
  for (unsigned round = 1; round <= 4; ++round) {
    STEP("round " + to_text(round) + ": all 6 are acquired, used, and released");
    std::vector<OverlappedEx*> ops;
    for (unsigned i = 0; i < 6; ++i) {
      const OpKind kind = (i + round) % 2 == 0 ? OpKind::recv : OpKind::send;
      ops.push_back(pool.acquire(kind));
      check("acquire gives an operation", ops.back() != nullptr);
      check_as_new(*ops.back(), kind);
      use(*ops.back(), connection);
      ops.back()->kind = kind == OpKind::recv ? OpKind::send : OpKind::recv;
    }
    release_all(pool, ops);
  }
}

LAB_TEST(Lab06, ABoundedPoolRunsOut, "N10", kStep3) {
  OperationPool pool(5, PoolPolicy::bounded);
  STEP("all 5 are acquired");
  auto ops = acquire_all(pool, 5);
  STEP("three more are asked for");
  for (int i = 0; i < 3; ++i) check("acquire gives null when all are out", pool.acquire(OpKind::recv) == nullptr);
  check_equal("exhausted", pool.stats().exhausted, 3);
  check_equal("the capacity", pool.stats().capacity, 5);
  check_equal("in_use()", pool.in_use(), 5);
  for (int round = 0; round < 12; ++round) {
    OverlappedEx* const back = ops[static_cast<std::size_t>(round) % 5];
    check("release takes one back", pool.release(back));
    OverlappedEx* const again = pool.acquire(OpKind::send);
    check("the next acquire gives one", again != nullptr);
    check("that is the one which came back, because all others are out", again == back);
    check("then there is none again", pool.acquire(OpKind::send) == nullptr);
  }
  check_distinct(ops);
  release_all(pool, ops);
  check_equal("in_use() at the end", pool.in_use(), 0);
}

namespace {

// The system has no memory for the nth `new` of operations in this growth. False: there were not so many.
bool grow_without_memory(std::size_t nth, std::size_t from) {
  OperationPool pool(4, PoolPolicy::growing);
  auto ops = acquire_all(pool, 4);
  watch.fails_from = from;
  watch.fails_after = nth;
  OverlappedEx* grown = nullptr;
  try {
    grown = pool.acquire(OpKind::send);
  } catch (const std::bad_alloc&) {
  }
  const bool failed = std::exchange(watch.fails_after, 0) == 0;
  watch.fails_from = sizeof(OverlappedEx);
  if (grown != nullptr) ops.push_back(grown);
  lab::PoolStats stats = pool.stats();
  if (failed && grown == nullptr) check_equal("the capacity: nothing was made", stats.capacity, 4);
  constexpr std::size_t kStep = alignof(OverlappedEx), kEnd = 8 * (sizeof(OverlappedEx) + 256);
  for (std::uintptr_t at = 0; at < kEnd; at += kStep) {  // what was not made has no address, not even one near 0
    check("release refuses an address where no memory is", !pool.release(reinterpret_cast<OverlappedEx*>(at)));
  }
  check_equal("in_use", stats.in_use, ops.size());
  check_equal("high_water", stats.high_water, ops.size());
  check_equal("acquired", stats.acquired, ops.size());
  Background other("a release and an acquire of another thread, after an acquire that had no memory,", [&] {
    check("release takes back what is out", pool.release(ops[0]));
    ops[0] = pool.acquire(OpKind::recv);
    check("acquire gives the operation that came back", ops[0] != nullptr);
    ops.push_back(pool.acquire(OpKind::recv));
    check("there is memory again, and the pool grows", ops.back() != nullptr);
  });
  other.finish();
  check_distinct(ops);
  stats = pool.stats();
  while (ops.size() < stats.capacity) ops.push_back(acquire_all(pool, 1).front());
  check_equal("the capacity, when as many are out", pool.stats().capacity, stats.capacity);
  check_distinct(ops);
  release_all(pool, ops);
  return failed;
}

}  // namespace

LAB_TEST(Lab06, AGrowingPoolGrows, "N10", kStep3) {
  OperationPool pool(3, PoolPolicy::growing);
  std::vector<OverlappedEx*> ops;
  STEP("200 operations are acquired from a pool that begins with 3, and each is marked");
  std::size_t capacity = pool.stats().capacity;
  check_equal("the capacity at the start", capacity, 3);
  for (std::size_t i = 0; i < 200; ++i) {
    const bool all_out = ops.size() == capacity;
    watch.count = 0;
    watch.on = true;
    ops.push_back(pool.acquire(OpKind::send));
    watch.on = false;
    check("a growing pool always gives one", ops.back() != nullptr);
    check_as_new(*ops.back(), OpKind::send);
    std::memset(ops.back()->buffer, static_cast<int>(i % 251), sizeof ops.back()->buffer);
    const lab::PoolStats stats = pool.stats();
    if (all_out) {
      check_equal("the capacity, when all " + to_text(capacity) + " were out and the pool had to make as many again",
                  stats.capacity, 2 * capacity);
    } else {
      check_equal("the capacity while not all are out", stats.capacity, capacity);
      check("an operation is made when the pool grows, not in a later acquire", watch.around(ops.back()) == nullptr);
    }
    capacity = stats.capacity;
    check_equal("in_use", stats.in_use, i + 1);
    check_equal("high_water, when one thread alone works", stats.high_water, i + 1);
    check_equal("acquired", stats.acquired, i + 1);
    check_equal("exhausted", stats.exhausted, 0);
  }
  check_distinct(ops);
  STEP("the first ones are still where they were, and all can be released");
  for (std::size_t i = 0; i < ops.size(); ++i) {
    check("the bytes of operation " + to_text(i + 1) + " stayed as they were while the pool grew",
          ops[i]->buffer[0] == static_cast<char>(i % 251) &&
              ops[i]->buffer[lab::kBufferSize - 1] == static_cast<char>(i % 251));
  }
  release_all(pool, ops);
  check_equal("in_use()", pool.in_use(), 0);
  check_equal("the capacity, because a pool keeps what it has made", pool.stats().capacity, capacity);
  STEP("as many as there are now are acquired: no need to grow");
  ops = acquire_all(pool, capacity);
  check_distinct(ops);
  check_equal("the capacity", pool.stats().capacity, capacity);
  release_all(pool, ops);
  STEP("all are out, and the system has no memory when the pool grows; later it has some");
  for (std::size_t nth = 1; nth < 10 && grow_without_memory(nth, sizeof(OverlappedEx)); ++nth) {
  }
  for (std::size_t nth = 1; nth < 30 && grow_without_memory(nth, 1); ++nth) {
  }
  STEP("a pool of one grows 13 times");
  {
    OperationPool small(1, PoolPolicy::growing);
    const auto all = acquire_all(small, 4097);
    check_distinct(all);
    check_equal("the capacity of a pool that had one", small.stats().capacity, 8192);
    release_all(small, all);
  }
  STEP("a large pool has to grow");
  OperationPool large(4096, PoolPolicy::growing);
  ops = acquire_all(large, 4097);
  check_equal("the capacity of a pool that had 4096", large.stats().capacity, 8192);
  release_all(large, ops);
}

// --- TODO 4: release ---

LAB_TEST(Lab06, ReleasedTwiceIsCaught, "N10", kStep4) {
  for (const PoolPolicy policy : {PoolPolicy::bounded, PoolPolicy::growing}) {
    OperationPool pool(4, policy);
    STEP(std::string("an operation of a ") + (policy == PoolPolicy::bounded ? "bounded" : "growing") +
         " pool is released twice");
    OverlappedEx* const op = pool.acquire(OpKind::recv);
    check("the first release takes it", pool.release(op));
    check("the second release refuses", !pool.release(op));
    check("the third release refuses", !pool.release(op));
    check_equal("bad_releases", pool.stats().bad_releases, 2);
    check_equal("in_use()", pool.in_use(), 0);
    STEP("all four are acquired: none of them twice");
    auto ops = acquire_all(pool, 4);
    check_distinct(ops);
    STEP("one is released twice while others are out");
    check("the first release takes it", pool.release(ops[1]));
    check("the second release refuses", !pool.release(ops[1]));
    check_equal("in_use()", pool.in_use(), 3);
    ops[1] = pool.acquire(OpKind::send);
    check("one more can be acquired", ops[1] != nullptr);
    check_distinct(ops);
    STEP("it is out again, so it can be released again");
    release_all(pool, ops);
    check_equal("bad_releases", pool.stats().bad_releases, 3);
    check_equal("in_use()", pool.in_use(), 0);
    STEP("all that there are, or 13 of a pool that has grown, are released; then each one again, in another order");
    ops = acquire_all(pool, policy == PoolPolicy::bounded ? 4 : 13);
    release_all(pool, ops);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      check("the second release refuses", !pool.release(ops[(i * 5 + 1) % ops.size()]));
    }
    check_equal("bad_releases", pool.stats().bad_releases, 3 + ops.size());
    check_equal("in_use()", pool.in_use(), 0);
    STEP("half of them are out again, and the others are released once more");
    std::set<OverlappedEx*> out;
    for (std::size_t i = 0; i < ops.size() / 2; ++i) out.insert(acquire_all(pool, 1).front());
    for (OverlappedEx* op : ops) {
      if (out.count(op) == 0) check("release refuses what is free", !pool.release(op));
    }
    check_equal("in_use()", pool.in_use(), ops.size() / 2);
    ops.assign(out.begin(), out.end());
    while (ops.size() < pool.stats().capacity) ops.push_back(acquire_all(pool, 1).front());
    check_distinct(ops);
    release_all(pool, ops);
  }
}

namespace {

// What two threads may do to a pool at the same time. One of them stands still after each of its instructions in turn.
struct TwoAtThePool {
  // `out` of the operations are out at the beginning of each round.
  TwoAtThePool(std::size_t blocks, PoolPolicy policy, std::size_t out) : blocks(blocks), policy(policy), count(out) {}

  void play(const char* one_does, const char* other_does, std::function<void()> one, std::function<void()> other,
            const std::function<void()>& look) {
    at_each_instruction({one_does, other_does, [this] { prepare(); }, std::move(one), std::move(other), [&] {
                           look();
                           look_at_all();
                         }});
  }
  void prepare() {
    pool.emplace(blocks, policy);
    out = acquire_all(*pool, count);
    for (OverlappedEx* op : out) mark(*op);
    if (arrange) arrange();
    at_first = out.size();
    one_got = other_got = {};
  }
  // What one of the two threads has acquired in this round, and what the pool should have counted.
  struct Got {
    std::vector<OverlappedEx*> ops;  // and kept
    std::size_t given = 0;
    std::size_t nulls = 0;
    std::size_t refused = 0;
    std::string fault;  // of the first one that was not as good as new
  };
  // As one that is in use.
  void mark(OverlappedEx& op) {
    op.overlapped.Internal = 7;
    op.wsabuf.len = 6;
    op.connection = connection;
  }
  OverlappedEx* take(Got& got) {
    OverlappedEx* const op = pool->acquire(OpKind::send);
    const Unwatched mine;
    if (op == nullptr) {
      ++got.nulls;
      return nullptr;
    }
    ++got.given;
    if (got.fault.empty()) got.fault = fault_of(*op, OpKind::send);
    mark(*op);
    return op;
  }
  void acquire(Got& got) {
    OverlappedEx* const op = take(got);
    if (op != nullptr) got.ops.push_back(op);
  }
  void release_wrong(Got& got, OverlappedEx* op) {
    if (!pool->release(op)) ++got.refused;
  }
  // Takes the first one back that was out at the beginning.
  void release_first() {
    check("release takes back what is out", pool->release(out.front()));
    out.front() = nullptr;
  }
  // When both have come to their ends: the figures are right, and each operation that is not out can be acquired, once.
  void look_at_all() {
    for (const Got* got : {&one_got, &other_got}) {
      if (!got->fault.empty()) fail("expected an operation as good as new, but " + got->fault);
      for (const OverlappedEx* op : got->ops) {
        check("nobody has changed an operation since it was acquired",
              op->overlapped.Internal == 7 && op->wsabuf.len == 6 && op->kind == OpKind::send && op->connection == connection);
      }
    }
    out.insert(out.end(), one_got.ops.begin(), one_got.ops.end());
    out.insert(out.end(), other_got.ops.begin(), other_got.ops.end());
    std::erase(out, nullptr);
    const lab::PoolStats stats = pool->stats();
    check_equal("in_use()", pool->in_use(), out.size());
    check_equal("in_use", stats.in_use, out.size());
    if (stats.high_water < out.size() || stats.high_water > stats.capacity) {
      fail("expected that high_water is at least " + to_text(out.size()) + ", which are out; it was " + to_text(stats.high_water));
    }
    check_equal("acquired", stats.acquired, count + one_got.given + other_got.given);
    check_equal("exhausted", stats.exhausted, one_got.nulls + other_got.nulls);
    check_equal("bad_releases", stats.bad_releases, one_got.refused + other_got.refused);
    while (out.size() < stats.capacity) {
      out.push_back(pool->acquire(OpKind::send));
      if (out.back() == nullptr) fail("expected that acquire gives all " + to_text(stats.capacity) + ", but not the " + to_text(out.size()) + "th");
    }
    check_distinct(out);
    check_equal("the capacity", pool->stats().capacity, stats.capacity);
    release_all(*pool, out);
    check_equal("the number of references to the connection", connection.use_count(), 1);
  }
  void check_acquired(std::size_t expected) {
    check_equal("how many operations the two threads got", one_got.ops.size() + other_got.ops.size(), expected);
    std::size_t capacity = blocks;
    while (capacity < at_first + expected) capacity *= 2;
    check_equal("the capacity", pool->stats().capacity, capacity);
  }

  void release_and_release() {
    play("release", "release of the same operation", [this] { release_wrong(one_got, out.back()); },
         [this] { release_wrong(other_got, out.back()); }, [this] {
           check_equal("how many of the two calls refused it", one_got.refused + other_got.refused, 1);
           out.pop_back();
         });
  }
  void both_release(const char* what, OverlappedEx* wrong) {
    play(what, what, [=, this] { release_wrong(one_got, wrong); }, [=, this] { release_wrong(other_got, wrong); }, [this] {
      check_equal("how many of the two calls refused it", one_got.refused + other_got.refused, 2);
    });
  }
  void acquire_and_acquire(std::size_t there_are) {
    play("acquire", "acquire", [this] { acquire(one_got); }, [this] { acquire(other_got); }, [&] { check_acquired(there_are); });
  }
  // There is one for each thread at each moment, but not always the same one.
  void acquire_while_places_change() {
    play("acquire", "acquire and release, in turns", [this] { acquire(one_got); }, [this] {
      for (std::size_t i = 0; i < 3; ++i) {
        OverlappedEx* const next = take(other_got);
        check("acquire gives an operation, because there is one for each thread", next != nullptr);
        check("release takes back what is out", pool->release(out[i]));
        out[i] = next;
      }
    }, [this] { check_acquired(1); });
  }
  // All are out, and one comes back: one of the two threads gets it, even if the other one is refused meanwhile.
  void acquire_what_comes_back() {
    const auto one_of_them = [this] { check_equal("how many operations the two threads got", one_got.ops.size() + other_got.ops.size(), 1); };
    play("acquire", "release, then acquire", [this] { acquire(one_got); }, [this] {
      release_first();
      acquire(other_got);
    }, one_of_them);
    play("release, then acquire", "acquire", [this] {
      release_first();
      acquire(one_got);
    }, [this] { acquire(other_got); }, one_of_them);
  }
  // Two are taken, and the first one comes back: what a thread has seen in a list before is there again, and wrong.
  void acquire_while_one_comes_back() {
    play("acquire", "acquire twice, and release of the first", [this] { acquire(one_got); }, [this] {
      OverlappedEx* const first = take(other_got);
      acquire(other_got);
      check("release takes back what is out", first != nullptr && pool->release(first));
    }, [this] { check_acquired(2); });
  }
  void acquire_while_many_are_acquired(std::size_t many) {
    play("acquire", "acquire, several times", [this] { acquire(one_got); }, [this, many] {
      for (std::size_t i = 0; i < many; ++i) acquire(other_got);
    }, [&] { check_acquired(1 + many); });
  }
  void release_and_acquire() {
    play("release", "acquire", [this] { release_first(); }, [this] { acquire(other_got); }, [] {});
    play("acquire", "release", [this] { acquire(one_got); }, [this] { release_first(); }, [] {});
  }

  // This thread has just released some: a store of its own may be full, and overflow.
  void release_to_a_full_store() {
    for (const std::size_t full : {8u, 16u, 32u}) {
      arrange = [this, full] {
        release_all(*pool, {out.end() - static_cast<std::ptrdiff_t>(full), out.end()});
        out.resize(out.size() - full);
      };
      play("release", "acquire", [this] { release_first(); }, [this] { acquire(other_got); }, [this] { check_acquired(1); });
    }
  }
  // All are out, and the pool grows.
  void release_what_has_just_been_made() {
    play("acquire", "acquire and release, in turns", [this] { acquire(one_got); }, [this] {
      for (int i = 0; i < 3; ++i) {
        OverlappedEx* const op = take(other_got);
        check("release takes back what is out", op != nullptr && pool->release(op));
      }
    }, [] {});
  }
  // Somebody asks for the figures meanwhile.
  void look_at_figures() {
    std::size_t seen = 0;
    lab::PoolStats stats;
    const auto ask = [&] {
      stats = pool->stats();
      seen = pool->in_use();
    };
    const auto ask_one = [&] {  // each of its instructions is a round
      stats = pool->stats();
      seen = stats.in_use;
    };
    const auto see = [&](std::size_t least, std::size_t most) {
      const lab::PoolStats now = pool->stats();
      for (const std::size_t figure : {seen, stats.in_use}) {
        if (figure < least || figure > most) {
          fail("expected in_use to be " + to_text(least) + " to " + to_text(most) + " while others work, but it was " + to_text(figure));
        }
      }
      check("no other figure has ever been so large, or so small",
            stats.capacity >= blocks && stats.capacity <= now.capacity && stats.high_water >= at_first &&
                stats.high_water <= now.capacity && stats.acquired >= count && stats.acquired <= now.acquired &&
                stats.exhausted <= now.exhausted && stats.bad_releases <= now.bad_releases);
    };
    const auto given = [&] { see(at_first, at_first + one_got.ops.size() + other_got.ops.size()); };
    const auto wrong = [this](Got& got) {
      release_wrong(got, nullptr);
      release_wrong(got, reinterpret_cast<OverlappedEx*>(&got));
    };
    play("acquire", "in_use and stats", [this] { acquire(one_got); }, ask, given);
    play("stats", "acquire", ask_one, [this] { acquire(other_got); }, given);
    if (policy == PoolPolicy::growing) return;  // the rest is as in a bounded one
    play("release", "in_use and stats", [this] { release_first(); }, ask, [&] { see(at_first - 1, at_first); });
    play("wrong release", "in_use and stats", [&] { wrong(one_got); }, ask, given);
    play("stats", "wrong release", ask_one, [&] { wrong(other_got); }, given);
    play("in_use", "release and acquire, in turns", [&] {
      seen = pool->in_use();
      stats = {blocks, seen, at_first, count, 0, 0};  // not those of an earlier play
    }, [this] {
      for (std::size_t i = 0; i < 4; ++i) {
        OverlappedEx*& op = out[i % out.size()];
        check("release takes back what is out", pool->release(op));
        op = take(other_got);
        check("acquire gives what came back", op != nullptr);
      }
    }, [&] { see(0, blocks); });  // a sum of several lists may be of several moments
  }

  const std::shared_ptr<lab::Connection> connection = std::make_shared<lab::Connection>();
  const std::size_t blocks;
  const PoolPolicy policy;
  const std::size_t count;
  std::function<void()> arrange;  // after the acquires at the beginning
  std::optional<OperationPool> pool;
  std::vector<OverlappedEx*> out;  // at the beginning; null: was released
  std::size_t at_first = 0;        // how many
  Got one_got, other_got;
};

}  // namespace

LAB_TEST(Lab06, TwoThreadsReleaseTheSame, "N10", kStep4) {
  STEP("a thread stands still while it releases an operation, and another one releases the same");
  TwoAtThePool(2, PoolPolicy::bounded, 2).release_and_release();
  STEP("both release null, or what was never an operation");
  OverlappedEx foreign;
  TwoAtThePool(2, PoolPolicy::bounded, 1).both_release("release of null", nullptr);
  TwoAtThePool(2, PoolPolicy::growing, 1).both_release("release of a foreign operation", &foreign);
  constexpr std::size_t kOps = 64;
  OperationPool pool(kOps, PoolPolicy::bounded);
  STEP("two threads release the same 64 operations, one from the first to the last, one from the last to the first");
  OverlappedEx* ops[kOps] = {};
  std::size_t rounds_run = 0;
  std::size_t together = 0;  // rounds in which both threads really ran at the same time
  const std::size_t wanted = rounds(4000);
  const auto end = Clock::now() + std::chrono::milliseconds(1000);
  // A busy system may put both threads on one processor, and leave them there. New threads are a new chance.
  while (together < wanted && Clock::now() < end) {
    Meeting meeting;
    std::atomic<std::size_t> taken{0};
    std::atomic<bool> more{true};
    const auto change = Clock::now() + std::chrono::milliseconds(25);
    on_threads("a thread that releases", 2, [&](unsigned me) {
      struct Leave {
        Meeting& meeting;
        std::atomic<bool>& more;
        ~Leave() {  // also when a check fails: the other thread is not to wait, nor to go on
          more = false;
          meeting.leave();
        }
      } leave{meeting, more};
      while (more) {
        if (me == 0) {
          taken = 0;
          ++rounds_run;
          for (OverlappedEx*& op : ops) {
            op = pool.acquire(OpKind::send);
            check("acquire gives an operation, because none is out", op != nullptr);
          }
        }
        const bool both_run = meeting.meet();
        std::size_t mine = 0;  // somewhere they pass each other, and then they may be at the same one
        for (std::size_t i = 0; i < kOps; ++i) mine += pool.release(ops[me == 0 ? i : kOps - 1 - i]) ? 1 : 0;
        taken += mine;
        const bool both_ran = meeting.meet();
        if (me == 0) {
          check_equal("how many of the 2 x 64 releases took one back", taken.load(), kOps);
          if (both_run && both_ran) ++together;
          more = together < wanted && Clock::now() < change;
        }
        meeting.meet();
      }
    });
  }
  check_equal("bad_releases", pool.stats().bad_releases, rounds_run * kOps);
  check_equal("in_use()", pool.in_use(), 0);
  const auto all = acquire_all(pool, kOps);
  check_distinct(all);
  release_all(pool, all);
}

LAB_TEST(Lab06, ForeignOperationsAreRefused, "N10", kStep4) {
  constexpr std::size_t kMine = 16;  // all that there are
  watch.rubbish = 4 * sizeof(OverlappedEx);
  OperationPool pool(8, PoolPolicy::growing);
  OperationPool other(8, PoolPolicy::bounded);
  const auto connection = std::make_shared<lab::Connection>();
  auto mine = acquire_all(pool, kMine);  // it has grown once
  watch.rubbish = 0;
  auto heap = std::make_unique<OverlappedEx>();
  OverlappedEx stack;
  OverlappedEx* const of_other = other.acquire(OpKind::send);
  std::uint64_t refused = 0;
  const auto refuse = [&](const std::string& what, OverlappedEx* op, bool look_into = true) {
    STEP("release gets " + what);
    if (look_into) {
      op->kind = OpKind::send;
      op->connection = connection;
    }
    const long references = connection.use_count();
    check("release refuses it", !pool.release(op));
    check_equal("bad_releases", pool.stats().bad_releases, ++refused);
    check_equal("in_use()", pool.in_use(), kMine);
    check_equal("the number of references to its connection", connection.use_count(), references);
    if (look_into) {
      check("it keeps its connection and its kind", op->connection == connection && op->kind == OpKind::send);
    }
  };
  const auto inside = [](OverlappedEx* op, std::size_t bytes) {
    return reinterpret_cast<OverlappedEx*>(reinterpret_cast<char*>(op) + bytes);
  };
  refuse("null", nullptr, false);
  refuse("an address where no memory is", reinterpret_cast<OverlappedEx*>(std::uintptr_t{64}), false);
  refuse("the highest address", reinterpret_cast<OverlappedEx*>(~std::uintptr_t{63}), false);
  refuse("an operation that came from new", heap.get());
  refuse("an operation on the stack", &stack);
  refuse("an operation of another pool", of_other);
  refuse("an address inside of one of its own", inside(mine[3], 64), false);
  refuse("an address inside of the last one that it made", inside(mine.back(), 2048), false);
  refuse("an address just before its lowest one", inside(*std::min_element(mine.begin(), mine.end()), ~std::size_t{15}),
         false);
  std::vector<OverlappedEx*> sorted = mine;
  std::sort(sorted.begin(), sorted.end());
  std::ptrdiff_t step = PTRDIFF_MAX;  // from one operation to the next
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    step = std::min(step, reinterpret_cast<char*>(sorted[i]) - reinterpret_cast<char*>(sorted[i - 1]));
  }
  refuse("an address just behind its highest one", inside(sorted.back(), static_cast<std::size_t>(step)), false);
  STEP("this thread has just released to the other pool");
  OverlappedEx* const next_of_other = other.acquire(OpKind::recv);
  check("the other pool takes its own", other.release(acquire_all(other, 1).front()));
  refuse("another operation of the other pool", next_of_other);
  next_of_other->connection = nullptr;
  check("the other pool takes it", other.release(next_of_other));
  STEP("a pool goes, and another one comes at its address; the operations are elsewhere");
  {
    watch.count = 0;
    watch.on = watch.keeps = true;
    std::optional<OperationPool> place;
    std::vector<OverlappedEx*> old;
    for (int round = 0; round < 3; ++round) {
      place.emplace(4, PoolPolicy::bounded);
      const auto ops = acquire_all(*place, 4);
      release_all(*place, ops);
      for (OverlappedEx* op : old) {
        if (std::find(ops.begin(), ops.end(), op) == ops.end()) check("release refuses those of the old pool", !place->release(op));
      }
      check_distinct(acquire_all(*place, 4));
      release_all(*place, ops);
      old.insert(old.end(), ops.begin(), ops.end());
    }
    place.reset();
    watch.on = watch.keeps = false;
  }
  STEP("the other pool takes its own, and gives what it should");
  of_other->connection = nullptr;
  check_equal("in_use() of the other pool", other.in_use(), 1);
  check("the other pool takes it", other.release(of_other));
  const auto others = acquire_all(other, 8);
  check_distinct(others);
  release_all(other, others);
  STEP("the pool takes all of its own");
  release_all(pool, mine);
  const std::size_t capacity = pool.stats().capacity;
  mine = acquire_all(pool, capacity);
  check("nothing foreign has come into it", std::find(mine.begin(), mine.end(), heap.get()) == mine.end() &&
                                                std::find(mine.begin(), mine.end(), &stack) == mine.end());
  check_distinct(mine);
  release_all(pool, mine);
}

LAB_TEST(Lab06, ReleaseLetsGoOfTheConnection, "N10", kStep4) {
  OperationPool pool(2, PoolPolicy::bounded);
  STEP("an operation holds the last reference to a connection");
  OverlappedEx* const op = pool.acquire(OpKind::recv);
  OverlappedEx* const second = pool.acquire(OpKind::send);
  op->connection = std::make_shared<lab::Connection>();
  second->connection = op->connection;
  const std::weak_ptr<lab::Connection> watched = op->connection;
  STEP("the first of the two that hold it is released");
  check("release takes it", pool.release(op));
  check_equal("the number of references", watched.use_count(), 1);
  STEP("it is released again, by mistake");
  check("release refuses it", !pool.release(op));
  check_equal("the number of references", watched.use_count(), 1);
  STEP("the other one is released");
  check("release takes it", pool.release(second));
  check("the connection has gone", watched.expired());
}

namespace {

// Its end looks whether an operation that is not out can be acquired.
struct LastLook : lab::Connection {
  explicit LastLook(OperationPool& pool) : pool(pool) {}
  ~LastLook() override {
    is_out = pool.in_use() > 0;
    OverlappedEx* const op = pool.acquire(OpKind::send);
    got_one = op != nullptr;
    if (op != nullptr) pool.release(op);
  }
  OperationPool& pool;
  static inline std::atomic<bool> is_out{false};
  static inline std::atomic<bool> got_one{false};
};

// Its end does what a server may do there: it uses the pool, and waits for somebody who uses the pool.
struct LastWords : lab::Connection {
  explicit LastWords(OperationPool& pool) : pool(pool) {}
  ~LastWords() override {
    OverlappedEx* const mine = pool.acquire(OpKind::send);
    got_one = mine != nullptr;
    if (mine != nullptr) pool.release(mine);
    Background other("an acquire of another thread, while a connection's destructor runs in release,", [this] {
      if (OverlappedEx* const op = pool.acquire(OpKind::recv)) pool.release(op);
    });
    other.finish();
    ended = true;
  }
  OperationPool& pool;
  static inline std::atomic<bool> got_one{false};
  static inline std::atomic<bool> ended{false};
};

}  // namespace

LAB_TEST(Lab06, NoLockWhileAConnectionDies, "N10", kStep4) {
  OperationPool pool(8, PoolPolicy::bounded);
  const auto ops = acquire_all(pool, 4);
  STEP("the last reference to a connection is released; its destructor uses the pool, on this and on another thread");
  ops[1]->connection = std::make_shared<LastWords>(pool);
  Background releasing("release of an operation whose connection's destructor uses the pool",
                       [&] { check("release takes it", pool.release(ops[1])); });
  releasing.finish();
  check("the destructor has ended", LastWords::ended);
  check("it got an operation, because some were free", LastWords::got_one);
  release_all(pool, {ops[0], ops[2], ops[3]});
  check_equal("in_use()", pool.in_use(), 0);
  STEP("the only operation of a pool is released; the destructor of its connection asks in_use(), and acquires");
  OperationPool one(1, PoolPolicy::bounded);
  OverlappedEx* const last = acquire_all(one, 1).front();
  last->connection = std::make_shared<LastLook>(one);
  check("release takes it", one.release(last));
  check("acquire gives the operation as soon as in_use() says that it is not out", LastLook::is_out || LastLook::got_one);
}

namespace {

// For the test below: a `new` has no parameters to hand things through.
OperationPool* growing_pool = nullptr;
OverlappedEx* to_release = nullptr;
OverlappedEx* acquired_meanwhile = nullptr;

}  // namespace

LAB_TEST(Lab06, NoLockWhileThePoolGrows, "N10", kStep3) {
  OperationPool pool(2, PoolPolicy::growing);
  const auto ops = acquire_all(pool, 2);
  growing_pool = &pool;
  to_release = ops[0];
  acquired_meanwhile = nullptr;
  STEP(
      "all are out, and one more is asked for; while the pool makes new ones, another thread releases one and takes it "
      "again");
  bool made_by_new = false;
  OverlappedEx* grown = nullptr;
  Background growing("an acquire that lets the pool grow", [&] {
    watch.large = sizeof(OverlappedEx);
    watch.after_large = [] {
      Background other("a release and an acquire of another thread, while the pool makes operations,", [] {
        check("release takes it", growing_pool->release(to_release));
        acquired_meanwhile = growing_pool->acquire(OpKind::send);
      });
      other.finish();
    };
    grown = pool.acquire(OpKind::recv);
    made_by_new = std::exchange(watch.after_large, nullptr) == nullptr;
  });
  growing.finish();
  check("the acquire that grew gives an operation", grown != nullptr);
  if (made_by_new) check("the other thread gets an operation, too", acquired_meanwhile != nullptr);
  release_all(pool, {ops[1], grown, made_by_new ? acquired_meanwhile : ops[0]});
  check_equal("in_use()", pool.in_use(), 0);
  STEP("a thread stands still while it lets the pool grow, and another one asks for the figures; or the other way round");
  TwoAtThePool(4, PoolPolicy::growing, 4).look_at_figures();
}

// --- many threads ---

LAB_TEST(Lab06, AFreeOperationIsAlwaysFound, "N10", kStep3) {
  STEP("a thread stands still in acquire, and another one acquires; there is an operation for each");
  TwoAtThePool(2, PoolPolicy::bounded, 0).acquire_and_acquire(2);
  STEP("there is one for both");
  TwoAtThePool(3, PoolPolicy::bounded, 2).acquire_and_acquire(1);
  STEP("there is none");
  TwoAtThePool(2, PoolPolicy::bounded, 2).acquire_and_acquire(0);
  STEP("there is none, but one comes back");
  TwoAtThePool(1, PoolPolicy::bounded, 1).acquire_what_comes_back();
  TwoAtThePool(3, PoolPolicy::bounded, 3).acquire_what_comes_back();
  STEP("the pool has to grow");
  TwoAtThePool(2, PoolPolicy::growing, 2).acquire_and_acquire(2);
  TwoAtThePool(1, PoolPolicy::growing, 1).acquire_and_acquire(2);
  TwoAtThePool(2, PoolPolicy::growing, 1).acquire_while_many_are_acquired(3);
  STEP("two of 24 are free, and the other thread acquires and releases; neighbours in memory, and others");
  for (const std::size_t distance : {16u, 8u, 1u, 3u}) {
    TwoAtThePool two(24, PoolPolicy::bounded, 24);
    two.arrange = [&] {
      std::sort(two.out.begin(), two.out.end());
      release_all(*two.pool, {two.out[5], two.out[5 + distance]});
      two.out.erase(two.out.begin() + static_cast<std::ptrdiff_t>(5 + distance));
      two.out.erase(two.out.begin() + 5);
    };
    two.acquire_while_places_change();
    if (distance != 16) continue;
    two.arrange = [&, first = two.arrange] {
      first();
      std::reverse(two.out.begin(), two.out.end());
    };
    two.acquire_while_places_change();
  }
  for (const unsigned threads : {2u, 3u, 4u, 8u}) {
    for (const PoolPolicy policy : {PoolPolicy::bounded, PoolPolicy::growing}) {
      OperationPool pool(threads, policy);
      STEP(to_text(threads) + " threads share " + to_text(threads) + " operations of a " +
           (policy == PoolPolicy::bounded ? "bounded" : "growing") +
           " pool; each holds one at a time, so there is always one left");
      std::atomic<std::size_t> count{0}, nulls{0}, refused{0};
      const Crowd crowd(0.02);
      on_threads("a thread that acquires and releases", threads, [&](unsigned me) {
        const auto round = [&](bool yields) {
          OverlappedEx* const op = pool.acquire(OpKind::send);
          if (op == nullptr) ++nulls;
          if (yields) std::this_thread::yield();
          if (op != nullptr && !pool.release(op)) ++refused;
          ++count;
        };
        for (unsigned i = me; nulls == 0 && refused == 0 && crowd.goes_on(); ++i) {
          for (int k = 0; k < 64; ++k) round(k == 0 && i % 16 == 0);
        }
      });
      check_equal("how often acquire gave null", nulls.load(), 0);
      check_equal("how often release refused", refused.load(), 0);
      check_equal("exhausted", pool.stats().exhausted, 0);
      check_equal("the capacity: nobody had to grow", pool.stats().capacity, threads);
      check_equal("acquired", pool.stats().acquired, count.load());
      check_equal("in_use()", pool.in_use(), 0);
    }
  }
}

LAB_TEST(Lab06, AnOperationHasOneOwner, "N10", kStep4) {
  STEP("a thread stands still in acquire; another one acquires two operations, and releases the first");
  TwoAtThePool(4, PoolPolicy::bounded, 0).acquire_while_one_comes_back();
  TwoAtThePool(6, PoolPolicy::bounded, 2).acquire_while_one_comes_back();
  STEP("a thread stands still in release, and another one acquires; or the other way round");
  TwoAtThePool(1, PoolPolicy::bounded, 1).release_and_acquire();
  TwoAtThePool(4, PoolPolicy::bounded, 3).release_and_acquire();
  TwoAtThePool(2, PoolPolicy::growing, 2).release_and_acquire();
  STEP("a thread that has released many releases one more and stands still, and another one acquires");
  TwoAtThePool(34, PoolPolicy::bounded, 34).release_to_a_full_store();
  STEP("a thread stands still while it lets the pool grow, and another one acquires and releases");
  TwoAtThePool(2, PoolPolicy::growing, 2).release_what_has_just_been_made();
  constexpr unsigned kThreads = 4;
  OperationPool pool(2 * kThreads, PoolPolicy::bounded);
  STEP("four threads acquire two operations each, write into them, look at them, and release them, without a pause");
  const Crowd crowd(0.15);
  std::atomic<bool> wrong{false};
  on_threads("a thread that acquires and releases", kThreads, [&](unsigned me) {
    const auto connection = std::make_shared<lab::Connection>();
    std::uint64_t tag = me;
    const auto round = [&] {
      OverlappedEx* const ops[2] = {pool.acquire(OpKind::send), pool.acquire(OpKind::recv)};
      bool fine = true;
      for (OverlappedEx* const op : ops) {
        if (op == nullptr || op->connection != nullptr) wrong = true;
        check("acquire gives an operation, because each thread holds two of eight at most", op != nullptr);
        check("a new operation has no connection", op->connection == nullptr);
        op->connection = connection;
        tag += kThreads;
        std::memcpy(op->buffer, &tag, sizeof tag);
      }
      for (unsigned i = 0; i < 2; ++i) {
        const std::uint64_t expected = tag - kThreads * (1 - i);
        fine = fine && std::memcmp(ops[i]->buffer, &expected, sizeof expected) == 0 && ops[i]->connection == connection;
      }
      for (OverlappedEx* const op : ops) fine = pool.release(op) && fine;
      if (!fine) wrong = true;
      check("an operation belongs to one thread at a time, until that one releases it", fine);
    };
    while (!wrong && crowd.goes_on()) {
      for (int i = 0; i < 64; ++i) round();
    }
  });
  check_equal("in_use()", pool.in_use(), 0);
  check_equal("exhausted", pool.stats().exhausted, 0);
  const auto ops = acquire_all(pool, 2 * kThreads);
  check_distinct(ops);
  release_all(pool, ops);
}

LAB_TEST(Lab06, FourThreadsComeAndGo, "N10", kStep4) {
  STEP("a thread stands still in acquire, and another one acquires three");
  TwoAtThePool(8, PoolPolicy::bounded, 2).acquire_while_many_are_acquired(3);
  for (const PoolPolicy policy : {PoolPolicy::bounded, PoolPolicy::growing}) {
    constexpr unsigned kThreads = 4;
    constexpr std::size_t kHeld = 8;
    OperationPool pool(policy == PoolPolicy::bounded ? 24 : 1, policy);
    STEP(std::string("four threads acquire and release in disorder, up to 8 each, from a ") +
         (policy == PoolPolicy::bounded ? "bounded pool of 24" : "growing pool that begins with 1"));
    const auto connection = std::make_shared<lab::Connection>();
    std::atomic<std::size_t> out{0}, most_out{0}, acquired{0}, nulls{0};
    const Crowd crowd(1);  // fewer rounds for a pool whose calls switch threads
    on_threads("a thread that acquires and releases", kThreads, [&](unsigned me) {
      std::minstd_rand random(me + 77);
      struct Held {
        OverlappedEx* op;
        std::string tag;
      };
      std::vector<Held> held;
      const std::size_t count = rounds(20000);
      bool more = true;
      for (std::size_t i = 0; more || !held.empty(); ++i) {
        if (more && i % 64 == 0) more = i < count && crowd.goes_on();
        if (more && held.size() < kHeld && random() % 2 == 0) {
          const OpKind kind = random() % 2 == 0 ? OpKind::recv : OpKind::send;
          OverlappedEx* const op = pool.acquire(kind);
          if (op == nullptr) {
            ++nulls;
            continue;
          }
          const std::size_t now = ++out;  // not more than are really out
          for (std::size_t most = most_out; most < now && !most_out.compare_exchange_weak(most, now);) {
          }
          ++acquired;
          const std::string fault = fault_of(*op, kind);
          if (!fault.empty()) fail("expected an operation as good as new, but " + fault);
          held.push_back({op, "thread " + std::to_string(me) + ", number " + std::to_string(i)});
          op->connection = connection;
          op->wsabuf.len = static_cast<ULONG>(held.back().tag.size());
          std::memcpy(op->buffer, held.back().tag.data(), held.back().tag.size());
          std::memcpy(op->buffer + 4000, held.back().tag.data(), held.back().tag.size());
        } else if (!held.empty()) {
          std::swap(held[random() % held.size()], held.back());
          const auto [op, tag] = held.back();
          held.pop_back();
          const bool still_mine = op->wsabuf.len == tag.size() && op->connection == connection &&
                                  std::memcmp(op->buffer, tag.data(), tag.size()) == 0 &&
                                  std::memcmp(op->buffer + 4000, tag.data(), tag.size()) == 0;
          check("an operation belongs to one thread at a time, but somebody else wrote into that of " + tag,
                still_mine);
          --out;
          check("release takes it back", pool.release(op));
        }
      }
    });
    STEP("all threads have ended");
    const lab::PoolStats stats = pool.stats();
    check_equal("in_use()", pool.in_use(), 0);
    check_equal("acquired", stats.acquired, acquired.load());
    check_equal("exhausted", stats.exhausted, nulls.load());
    if (policy == PoolPolicy::growing) check_equal("how often a growing pool gave null", nulls.load(), 0);
    check_equal("bad_releases", stats.bad_releases, 0);
    check_equal("the number of references to the connection", connection.use_count(), 1);
    check("high_water is at least " + to_text(most_out.load()) + ", which were out at once; it was " +
              to_text(stats.high_water),
          stats.high_water >= most_out);
    check("high_water is at most the capacity", stats.high_water <= stats.capacity);
    STEP("as many as there are can be acquired");
    const auto ops = acquire_all(pool, stats.capacity);
    check_distinct(ops);
    check_equal("the capacity", pool.stats().capacity, stats.capacity);
    if (policy == PoolPolicy::bounded) check("then there is none", pool.acquire(OpKind::recv) == nullptr);
    release_all(pool, ops);
  }
}

LAB_TEST(Lab06, AcquiredHereReleasedThere, "N10", kStep4) {
  OperationPool pool(16, PoolPolicy::bounded);
  const std::size_t count = rounds(1000);
  STEP("one thread acquires " + to_text(count) + " operations, another one releases them");
  std::mutex mutex;  // protects `handed`
  std::vector<OverlappedEx*> handed;
  std::atomic<bool> refused{false};
  on_threads("a thread that acquires or releases", 2, [&](unsigned me) {
    for (std::size_t i = 0; i < count;) {
      OverlappedEx* op = nullptr;
      if (me == 0) {
        op = pool.acquire(OpKind::send);
        std::lock_guard lock(mutex);
        if (op != nullptr) handed.push_back(op);
      } else {
        {
          std::lock_guard lock(mutex);
          if (!handed.empty()) {
            op = handed.back();
            handed.pop_back();
          }
        }
        if (op != nullptr && !pool.release(op)) refused = true;
      }
      if (op != nullptr) ++i;
      else std::this_thread::yield();
    }
  });
  check("each release took its operation back", !refused);
  check_equal("in_use()", pool.in_use(), 0);
  STEP("this thread acquires all of them, and a thread releases them and ends");
  auto ops = acquire_all(pool, 16);
  on_threads("a thread that releases", 1, [&](unsigned) { release_all(pool, ops); });
  STEP("they are free for everybody: this thread gets all of them again");
  ops = acquire_all(pool, 16);
  check_distinct(ops);
  release_all(pool, ops);
  STEP("a thread acquires all of them and ends; this thread releases them, and gets all of them again");
  on_threads("a thread that acquires", 1, [&](unsigned) { ops = acquire_all(pool, 16); });
  release_all(pool, ops);
  ops = acquire_all(pool, 16);
  check_distinct(ops);
  release_all(pool, ops);
}

// --- TODO 5 and the rest of the contract ---

LAB_TEST(Lab06, FiguresOfOneThread, "N10", kStep5) {
  OperationPool pool(10, PoolPolicy::bounded);
  const auto expect = [&](std::size_t in_use, std::size_t high_water, std::uint64_t acquired, std::uint64_t exhausted,
                          std::uint64_t bad_releases) {
    const lab::PoolStats stats = pool.stats();
    check_equal("capacity", stats.capacity, 10);
    check_equal("in_use", stats.in_use, in_use);
    check_equal("in_use()", pool.in_use(), in_use);
    check_equal("high_water", stats.high_water, high_water);
    check_equal("acquired", stats.acquired, acquired);
    check_equal("exhausted", stats.exhausted, exhausted);
    check_equal("bad_releases", stats.bad_releases, bad_releases);
  };
  STEP("a new pool of 10");
  expect(0, 0, 0, 0, 0);
  STEP("4 are acquired");
  auto ops = acquire_all(pool, 4);
  expect(4, 4, 4, 0, 0);
  STEP("3 of them are released, then 2 more are acquired, all on one thread");
  release_all(pool, {ops[0], ops[1], ops[2]});
  expect(1, 4, 4, 0, 0);
  const auto more = acquire_all(pool, 2);
  expect(3, 4, 6, 0, 0);
  STEP("7 more: now all are out. Then one more is asked for");
  const auto rest = acquire_all(pool, 7);
  check("acquire gives null", pool.acquire(OpKind::recv) == nullptr);
  expect(10, 10, 13, 1, 0);
  STEP("all are released, one of them twice, and null");
  release_all(pool, more);
  release_all(pool, rest);
  release_all(pool, {ops[3]});
  check("release refuses", !pool.release(ops[3]) && !pool.release(nullptr));
  expect(0, 10, 13, 1, 2);
  STEP("a second pool has figures of its own");
  OperationPool second(3, PoolPolicy::bounded);
  release_all(second, acquire_all(second, 2));
  const lab::PoolStats stats = second.stats();
  check("they are 3, 0, 2, 2, 0, 0", stats.capacity == 3 && stats.in_use == 0 && stats.high_water == 2 &&
                                         stats.acquired == 2 && stats.exhausted == 0 && stats.bad_releases == 0);
  expect(0, 10, 13, 1, 2);
  STEP("70000 times one is acquired, a second one is refused, and the first one is released twice");
  OperationPool busy(1, PoolPolicy::bounded);
  for (int i = 0; i < 70000; ++i) {
    OverlappedEx* const op = busy.acquire(OpKind::send);
    if (op == nullptr || busy.acquire(OpKind::recv) != nullptr || !busy.release(op) || busy.release(op)) {
      fail("expected that acquire and release of a pool of one do as before, but in round " + to_text(i + 1) + " they did not");
    }
  }
  const lab::PoolStats many = busy.stats();
  check_equal("capacity", many.capacity, 1);
  check_equal("acquired", many.acquired, 70000);
  check_equal("exhausted", many.exhausted, 70000);
  check_equal("bad_releases", many.bad_releases, 70000);
  STEP("a thread stands still while it uses the pool, and another one asks for the figures; or the other way round");
  TwoAtThePool(4, PoolPolicy::bounded, 2).look_at_figures();
}

LAB_TEST(Lab06, NoNewAfterTheStart, "N10", kStep1) {
  OperationPool pool(64, PoolPolicy::growing);
  const auto connection = std::make_shared<lab::Connection>();
  OperationPool small_one(1, PoolPolicy::bounded);
  int unexpected = 0;
  OverlappedEx* ops[64];
  char foreign[256];
  std::size_t next_foreign = 0;
  const auto use_all = [&] {
    for (OverlappedEx*& op : ops) {
      op = pool.acquire(OpKind::send);
      if (op != nullptr) op->connection = connection;
    }
    for (std::size_t i = 0; i < 64; ++i) pool.release(ops[i * 29 % 64]);
    pool.release(ops[5]);
    pool.release(nullptr);
    pool.release(reinterpret_cast<OverlappedEx*>(&foreign[next_foreign++]));
    static_cast<void>(pool.in_use());
    OverlappedEx* const only = small_one.acquire(OpKind::recv);
    if (small_one.acquire(OpKind::send) != nullptr) ++unexpected;
    small_one.release(only);
  };
  STEP("64 operations are acquired and released, to warm up");
  use_all();
  check_equal("in_use()", pool.in_use(), 0);
  STEP("the same 100 times, and each new is counted");
  watch.news = 0;
  watch.on = true;
  for (int i = 0; i < 100; ++i) use_all();
  watch.on = false;
  check_equal("how often new was called for 6400 operations", watch.news, 0);
  check_equal("how often a pool of one gave a second one", unexpected, 0);
  check_equal("in_use()", pool.in_use(), 0);
}

LAB_TEST(Lab06, ThePoolEndsWithOperationsOut, "N10", kStep2) {
  STEP("a pool ends, and nothing is out");
  watch.count = 0;
  watch.on = true;
  auto pool = std::make_unique<OperationPool>(20, PoolPolicy::bounded);
  const OverlappedEx* op = pool->acquire(OpKind::recv);
  pool->release(const_cast<OverlappedEx*>(op));
  testing::internal::CaptureStderr();
  pool.reset();
  std::string said = testing::internal::GetCapturedStderr();
  watch.on = false;
  check_equal("what it says on stderr", said, "");
  const Watch::Allocation* memory = watch.around(op);
  check("its operations are freed", memory == nullptr || memory->freed);

  STEP("a pool of 20 that has grown to 40 ends, and nothing is out");
  watch.count = 0;
  watch.on = true;
  pool = std::make_unique<OperationPool>(20, PoolPolicy::growing);
  auto ops = acquire_all(*pool, 30);
  release_all(*pool, ops);
  pool.reset();
  watch.on = false;
  for (const OverlappedEx* one : ops) {
    memory = watch.around(one);
    check("all its operations are freed", memory == nullptr || memory->freed);
  }

  STEP("a bounded pool ends, and one is out, which has a connection");
  LEAK_ON_PURPOSE;
  const auto connection = std::make_shared<lab::Connection>();
  watch.count = 0;
  watch.on = true;
  pool = std::make_unique<OperationPool>(20, PoolPolicy::bounded);
  static OverlappedEx* last = nullptr;  // a leak checker finds it here
  last = acquire_all(*pool, 1).front();
  last->connection = connection;
  testing::internal::CaptureStderr();
  pool.reset();
  said = testing::internal::GetCapturedStderr();
  watch.on = false;
  check("it says on stderr that 1 is out; it said: " + said, said.find('1') != std::string::npos);
  memory = watch.around(last);
  check("an operation that is out is not freed", memory == nullptr || !memory->freed);
  check("it keeps its connection", last->connection == connection);
  last->connection = nullptr;

  STEP("a pool of 20 that has grown to 40 ends, and 27 are out, of both halves");
  watch.count = 0;
  watch.on = true;
  pool = std::make_unique<OperationPool>(20, PoolPolicy::growing);
  static std::vector<OverlappedEx*> out;  // a leak checker finds them here
  out = acquire_all(*pool, 30);
  for (int i = 0; i < 3; ++i) pool->release(out[static_cast<std::size_t>(i) * 10]);
  for (int i = 2; i >= 0; --i) out.erase(out.begin() + i * 10);
  testing::internal::CaptureStderr();
  pool.reset();
  said = testing::internal::GetCapturedStderr();
  watch.on = false;
  check("it says on stderr that 27 are out; it said: " + said, said.find("27") != std::string::npos);
  STEP("the system writes into them after the end of the pool");
  for (OverlappedEx* one : out) {
    memory = watch.around(one);
    check("operations that are out are not freed", memory == nullptr || !memory->freed);
    std::memset(one->buffer, 0x11, sizeof one->buffer);
    one->overlapped.Internal = 1;
  }
}

// --- under the server: calls that fail, and every order of things ---

namespace {

// The pool as the server's source of operations. It looks at what goes out and comes back, and the conductor can switch
// threads before each call. Notes what is wrong; check_in_order() tells it.
class WatchedPool : public lab::OperationSource {
 public:
  WatchedPool(std::size_t blocks, PoolPolicy policy) : pool(blocks, policy), blocks_(blocks), policy_(policy) {}

  OverlappedEx* acquire(OpKind kind) override {
    yield_point("acquire");
    const std::uint64_t before = begin_call();
    OverlappedEx* const op = counted([&] { return pool.acquire(kind); });
    const std::string fault = op == nullptr ? "" : fault_of(*op, kind);
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    const bool alone = end_call() == before;
    if (op == nullptr) {
      ++nulls_;
      // Others may have given one back a moment ago, unless nobody else was in the pool.
      if (policy_ == PoolPolicy::growing) note("a growing pool gave null");
      if (alone && out_.size() < blocks_) note("the pool gave null although one was free");
      return nullptr;
    }
    ++given_;
    if (!fault.empty()) note("an operation was not as good as new: " + fault);
    if (!out_.insert(op).second) note("an operation that is out was given out again");
    most_out_ = std::max(most_out_, out_.size());
    return op;
  }

  bool release(OverlappedEx* op) override {
    yield_point("release");
    const bool is_out = begin_release(op);
    const bool taken = counted([&] { return pool.release(op); });
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    end_call();
    if (taken != is_out) note(taken ? "the pool took back what was not out" : "the pool refused what was out");
    return taken;
  }

  std::size_t in_use() const override { return pool.in_use(); }

  // Nobody works with the pool now.
  void check_in_order(std::size_t out) {
    const lab::PoolStats stats = pool.stats();
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    if (!wrong_.empty()) fail("expected that the pool gives and takes operations in order, but " + wrong_);
    check_equal("the number of operations that are out", out_.size(), out);
    check_equal("in_use", stats.in_use, out);
    check_equal("acquired", stats.acquired, given_);
    check_equal("exhausted", stats.exhausted, nulls_);
    check_equal("bad_releases", stats.bad_releases, 0u);
    check("high_water is at least " + to_text(most_out_) + ", which were out at once, and at most the capacity; it is " +
              to_text(stats.high_water),
          stats.high_water >= most_out_ && stats.high_water <= stats.capacity);
    check("new is not called for each operation; in " + to_text(counted_) + " calls of the pool it was called " +
              to_text(news_) + " times",
          news_ * 4 <= counted_);
  }

  // At the end: everything is free, and can be had.
  void check_all_free() {
    check_in_order(0);
    const std::size_t capacity = pool.stats().capacity;
    const auto ops = acquire_all(pool, capacity);
    check_distinct(ops);
    check_equal("the capacity", pool.stats().capacity, capacity);
    if (policy_ == PoolPolicy::bounded) check("then there is none", pool.acquire(OpKind::send) == nullptr);
    release_all(pool, ops);
  }

  std::size_t nulls() const {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    return nulls_;
  }

  OperationPool pool;

 private:
  // Calls the pool, and counts the calls of `new`. A thread's first calls of this pool do not count: they may set up
  // something, and a growing pool makes operations.
  template <class Body>
  std::invoke_result_t<Body> counted(Body body) {
    static thread_local unsigned calls = 0, of = 0;
    if (std::exchange(of, number_) != number_) calls = 0;
    if (policy_ == PoolPolicy::growing || ++calls < 16) return body();
    const std::uint64_t before = watch.news;
    watch.on = true;
    const auto result = body();
    watch.on = false;
    watch.count = 0;
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    ++counted_;
    news_ += watch.news - before;
    return result;
  }

  // Where a call of the pool begins and ends. The same number: nobody else was in the pool meanwhile.
  std::uint64_t begin_call() {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    return inside_++ > 0 ? 0 : ++calls_;
  }
  std::uint64_t end_call() { return --inside_ > 0 ? ++calls_ : calls_; }  // the mutex is held

  // The operation is nobody's before the pool has it: a moment later it may be somebody else's. False: it is not out.
  bool begin_release(OverlappedEx* op) {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    if (inside_++ == 0) ++calls_;
    if (out_.erase(op) == 0) {
      note("the server released an operation that is not out");
      return false;
    }
    call_rules().releasing(&op->overlapped);
    return true;
  }

  void note(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  const std::size_t blocks_;
  const PoolPolicy policy_;
  mutable std::mutex mutex_;  // protects what follows; never held during a call of the pool
  std::set<const OverlappedEx*> out_;
  std::size_t most_out_ = 0;
  std::size_t given_ = 0;
  std::size_t nulls_ = 0;
  unsigned inside_ = 0;         // calls of the pool that have begun and not ended
  std::uint64_t calls_ = 0;
  static inline std::atomic<unsigned> pools_{0};
  const unsigned number_ = ++pools_;
  std::uint64_t counted_ = 0;
  std::uint64_t news_ = 0;
  std::string wrong_;  // the first thing that was wrong
};
// A client comes, by the accept thread, and logs in.
void come(Conductor& conductor, GameServer& server, unsigned actor) {
  GameServer::Guest& guest = server.connect();
  conductor.act(actor, [&] { server.come(guest); });
  conductor.act(actor, [&] { server.log_in(guest); });
}

}  // namespace

LAB_TEST(Lab06, CallsThatFailGiveTheirOperationsBack, "N10, N19", kStep4) {
  const auto pool = std::make_shared<WatchedPool>(8, PoolPolicy::bounded);
  GameServer server(pool);
  server.start(2);
  Faults faults;
  const auto is_hit = [&](GameServer::Guest& guest) {
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    server.settle();
    server.check_rest();
    pool->check_in_order(server.connected());
    server.play_a_round();
  };
  STEP("a player is alone when the answer to its log-in is cut short");
  GameServer::Guest& cut = server.enter();
  faults.shorten_next_send(3);
  server.log_in(cut);
  is_hit(cut);
  STEP("eight clients come: all operations are out. A ninth one is refused");
  for (int i = 0; i < 8; ++i) server.enter();
  GameServer::Guest& ninth = server.connect();
  check("start_recv returns false", !server.start_recv(ninth));
  check_equal("exhausted", pool->pool.stats().exhausted, 1u);
  STEP("one of the eight logs in, and there is no operation for the answer");
  server.log_in(server.guests()[1]);
  is_hit(server.guests()[1]);
  check_equal("exhausted", pool->pool.stats().exhausted, 2u);
  STEP("the others leave; one logs in and stays");
  for (std::size_t i = 2; i < 9; ++i) server.goes(server.guests()[i]).client.close();
  check_eventually("all have left", [&] { return server.connected() == 0; });
  server.check_rest();
  GameServer::Guest& stays = server.enter();
  server.log_in(stays);
  server.settle();
  server.check_rest();
  for (const int error : {WSAECONNRESET, WSAENOBUFS, WSAESHUTDOWN}) {
    STEP("WSARecv fails at once with " + to_text(error) + ", for a client who comes");
    GameServer::Guest& guest = server.connect();
    faults.fail(Call::WSARecv, error);
    check("start_recv returns false", !server.start_recv(guest));
    is_hit(guest);
  }
  for (const int error : {WSAECONNRESET, WSAENOBUFS, WSAESHUTDOWN}) {
    STEP("another one logs in; the one who stays is told so, but WSASend to the new one fails at once with " +
         to_text(error));
    GameServer::Guest& guest = server.enter();
    faults.fail(Call::WSASend, error, 1, 1);
    server.log_in(guest);
    is_hit(guest);
  }
  for (const int error : {WSAECONNRESET, WSAENOBUFS, WSAESHUTDOWN}) {
    STEP("another one logs in; WSARecv fails at once with " + to_text(error) + ", when its receive is posted again");
    GameServer::Guest& guest = server.enter();
    faults.fail(Call::WSARecv, error);
    server.log_in(guest);
    is_hit(guest);
  }
  check("the one who stays was never disconnected", server.plays(stays) && !server.is_gone(stays));
  STEP("the server disconnects everybody, and stops");
  server.finish();
  pool->check_all_free();
}

LAB_TEST(Lab06, SeedsOfASmallPool, "N10", kStep3) {
  STEP("clients come, play and go, where there are 3 to 7 operations for all; who gets none is disconnected");
  for_each_seed(20, [](std::uint64_t seed) {
    const std::size_t blocks = 3 + seed % 5;
    const auto pool = std::make_shared<WatchedPool>(blocks, PoolPolicy::bounded);
    GameServer server(pool);
    {
      Conductor conductor(seed);
      server.start(3);
      server.start_accepting();
      conductor.wait_for_threads(4);
      for (unsigned i = 0; i < 5; ++i) come(conductor, server, i);
      conductor.play();
      server.settle();
      server.check_rest();
      pool->check_in_order(server.connected());
      if (blocks < 5) check("5 clients use up " + to_text(blocks) + " operations", pool->nulls() > 0);
      auto& guests = server.guests();
      for (unsigned i = 0; i < 5; ++i) {
        for (int k = 0; k < 2; ++k) conductor.act(i, [&, i] { server.move(guests[i]); });
      }
      conductor.act(0, [&] { server.goes(guests[0]).client.abort(); });
      conductor.act(1, [&] { server.goes(guests[1]).client.close(); });
      for (unsigned i = 5; i < 7; ++i) come(conductor, server, i);
      conductor.play();
      server.settle();
      server.check_rest();
      pool->check_in_order(server.connected());
    }
    server.finish();
    pool->check_all_free();
  });
}

LAB_TEST(Lab06, SeedsOfAGrowingPool, "N10", kStep3) {
  STEP("clients come, play and go, where there is one operation in the beginning, and the pool grows");
  for_each_seed(18, [](std::uint64_t seed) {
    const auto pool = std::make_shared<WatchedPool>(1, PoolPolicy::growing);
    GameServer server(pool);
    {
      Conductor conductor(seed);
      server.start(3);
      server.start_accepting();
      conductor.wait_for_threads(4);
      for (unsigned i = 0; i < 4; ++i) come(conductor, server, i);
      conductor.play();
      server.settle();
      auto& guests = server.guests();
      for (unsigned i = 0; i < 4; ++i) {
        for (int k = 0; k < 2; ++k) conductor.act(i, [&, i] { server.move(guests[i]); });
      }
      conductor.act(0, [&] { server.goes(guests[0]).client.abort(); });
      come(conductor, server, 4);
      conductor.play();
      check_equal("the number of clients that are connected", server.connected(), 4u);
      server.settle();
      server.check_rest();
      pool->check_in_order(4);
    }
    server.finish();
    pool->check_all_free();
  });
  STEP("one client comes and leaves, in every order of two workers with at most two preemptions");
  for_each_order(2, [](std::uint64_t seed) {
    const auto pool = std::make_shared<WatchedPool>(1, PoolPolicy::growing);
    GameServer server(pool);
    {
      Conductor conductor(seed);
      server.start(2);
      conductor.wait_for_threads(2);
      GameServer::Guest& guest = server.enter();
      conductor.act(0, [&] { server.log_in(guest); });
      conductor.act(0, [&] { server.goes(guest).client.half_close(); });
      conductor.play();
      server.settle();
      server.check_rest();
      check_equal("the number of clients that are connected", server.connected(), 0u);
      pool->check_in_order(0);
    }
    server.finish();
    pool->check_all_free();
  });
}

LAB_TEST(Lab06, SeedsOfFailingCalls, "N10, N19", kStep4) {
  STEP("calls fail here and there while four clients come and play; every operation comes back");
  for_each_seed(24, [](std::uint64_t seed) {
    const auto pool = seed % 2 == 0 ? std::make_shared<WatchedPool>(12, PoolPolicy::bounded)
                                    : std::make_shared<WatchedPool>(2, PoolPolicy::growing);
    GameServer server(pool);
    Faults faults;
    {
      Conductor conductor(seed);
      server.start(3);
      server.start_accepting();
      conductor.wait_for_threads(4);
      faults.fail(Call::WSARecv, WSAECONNRESET, 1, static_cast<unsigned>(conductor.random().below(4)));
      faults.fail(Call::WSASend, WSAENOBUFS, 1, static_cast<unsigned>(conductor.random().below(3)));
      for (unsigned i = 0; i < 4; ++i) come(conductor, server, i);
      conductor.play();
      check_equal("the calls that were to fail and were not made", faults.left(), 0u);
      check("one or two clients are hit", server.connected() == 2 || server.connected() == 3);
      server.settle();
      for (unsigned i = 0; i < 4; ++i) conductor.act(i, [&server, i] { server.move(server.guests()[i]); });
      conductor.play();
      server.settle();
      server.check_rest();
      pool->check_in_order(server.connected());
    }
    server.finish();
    pool->check_all_free();
  });
}

LAB_TEST(Lab06, SeedsOfFreeThreads, "N10", kStep4) {
  STEP("four workers run freely; the seed makes them yield here and there. Players come, play and go");
  for_each_seed(10, [](std::uint64_t seed) {
    const auto pool = seed % 2 == 0 ? std::make_shared<WatchedPool>(40, PoolPolicy::bounded)
                                    : std::make_shared<WatchedPool>(1, PoolPolicy::growing);
    GameServer server(pool);
    const Shaker shaker(seed);
    server.start(4);
    for (int i = 0; i < 6; ++i) server.log_in(server.enter());
    server.settle();
    for (std::size_t round = 0; round < 4; ++round) {
      server.goes(server.guests()[round]).client.abort();
      server.log_in(server.enter());
      for (int k = 0; k < 5; ++k) {
        for (GameServer::Guest& guest : server.guests()) server.move(guest);
      }
      check_eventually("who resets is disconnected", [&] { return server.is_gone(server.guests()[round]); });
      server.settle();
    }
    check_equal("the number of clients that are connected", server.connected(), 6u);
    server.check_rest();
    pool->check_in_order(6);
    server.finish();
    pool->check_all_free();
  });
}

// --- the program ---

namespace {

std::size_t count_in(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

std::string login(const std::string& name) {
  return std::string{static_cast<char>(2 + name.size()), lab::CS_LOGIN} + name;
}
const std::string kMoveRight{3, lab::CS_MOVE, 3};
const std::string kMoveLeft{3, lab::CS_MOVE, 2};

// Reads packets until one of this type comes, and is about this player if `id` is one. Returns its body.
std::string wait_for_packet(TestClient& client, lab::PacketType type, const std::string& id = "") {
  for (int i = 0; i < 10000; ++i) {
    const std::size_t size = static_cast<unsigned char>(client.receive(1)[0]);
    if (size < 2) fail("expected a packet from the server, but its length is " + to_text(size));
    const std::string rest = client.receive(size - 1);
    const bool positions = rest[0] == lab::SC_POSITION || rest[0] == lab::SC_POSITIONS;
    if (rest[0] != type && !(positions && type == lab::SC_POSITION)) continue;
    for (std::size_t at = 1; at + 2 <= rest.size(); at += 4) {
      if (id.empty() || rest.substr(at, 2) == id) return rest.substr(1);
      if (!positions) break;
    }
  }
  fail("expected a packet of type " + to_text(static_cast<int>(type)) + " from the server, but only others came");
}

// Logs in and returns the id, as two bytes.
std::string log_in(TestClient& client, const std::string& name) {
  client.send(login(name));
  return wait_for_packet(client, lab::SC_LOGIN_OK).substr(0, 2);
}

// One step, and its answer.
void step_of(TestClient& client, const std::string& id) {
  client.send(kMoveRight);
  wait_for_packet(client, lab::SC_POSITION, id);
}

void check_summary(ServerProgram& server) {
  const std::string line = server.wait_for_line("operations: ");
  check("every operation has come back; the server says " + line, line.find(" 0 still out") != std::string::npos);
}

}  // namespace

LAB_TEST(Lab06, ProgramCallsNoNewAfterWarmUp, "N10", kProgram) {
  ServerProgram server({"--threads", "2"});
  bots::Options options;
  options.port = server.port;
  options.bots = 200;
  options.moves = static_cast<std::uint64_t>(15 / slowness());  // at least 6: more packets than the warm-up takes
  options.patience = std::chrono::duration_cast<std::chrono::milliseconds>(patience());
  STEP("200 bots log in and make " + to_text(options.moves) + " moves each; they check all that they are told");
  const bots::Report report = bots::run(options);
  if (report.outcome != bots::Outcome::ok) fail("expected that each bot is told what is true, but " + report.failure);
  STEP("the server is asked to stop, and prints its summary");
  server.stop();
  const std::string share = server.wait_for_line("positions sent: ");
  check("it tells the bytes of a position and the share of all bytes, but the line is " + share,
        share.find(" bytes each, ") != std::string::npos && share.find("% of all bytes sent") != std::string::npos);
  const std::string news = server.wait_for_line("new calls on worker threads: ");
  check("no packet cost a new after warm-up; the server says " + news, news.ends_with(", 0 after"));
  check_summary(server);
  const std::string pool = server.wait_for_line("pool: ");
  check("nothing was released by mistake; the server says " + pool, pool.ends_with("bad releases 0"));
}

LAB_TEST(Lab06, ProgramRefusesWhenThePoolIsEmpty, "N10", kProgram) {
  ServerProgram server({"--threads", "2", "--pool-blocks", "8", "--pool-policy", "bounded"});
  STEP("ann and bob log in: two of eight operations are their receives, two more may be sends");
  TestClient ann(server.port);
  const std::string ann_id = log_in(ann, "ann");
  TestClient bob(server.port);
  const std::string bob_id = log_in(bob, "bob");
  wait_for_packet(ann, lab::SC_ENTER, bob_id);
  STEP("seven more connect: that is one too many, at least");
  std::vector<TestClient> idle = connect_many(server.port, 7);
  const auto count = [&](const std::string& part) { return count_in(server.output(), part); };
  check_eventually("the server says what became of each", [&] {
    return count("connected from") + count("could not be registered") == 9;
  });
  check("at least one could not be registered", count("could not be registered") >= 1);
  check("at least four could", count("connected from") >= 6);
  check_eventually("those who were refused see the end of the connection", [&] {
    const auto closed =
        std::count_if(idle.begin(), idle.end(), [](const TestClient& c) { return c.look() != End::none; });
    return static_cast<std::size_t>(closed) == count("could not be registered");
  });
  STEP("the idle ones leave");
  idle.clear();
  check_eventually("the server says that they have left",
                   [&] { return count(" left: ") == count("connected from") - 2; });
  STEP("ann and bob still play, and there is room for one more");
  step_of(ann, ann_id);
  wait_for_packet(bob, lab::SC_POSITION, ann_id);
  TestClient cid(server.port);
  const std::string cid_id = log_in(cid, "cid");
  wait_for_packet(ann, lab::SC_ENTER, cid_id);
  step_of(bob, bob_id);
  wait_for_packet(cid, lab::SC_POSITION, bob_id);
  STEP("the server is asked to stop");
  server.stop();
  check_summary(server);
  const std::string pool = server.wait_for_line("pool: ");
  check("the pool still has 8 operations; the server says " + pool, pool.find("pool: 8 blocks") == 0);
}

LAB_TEST(Lab06, ProgramOutlivesExhaustion, "N10", kProgram) {
  ServerProgram server({"--threads", "4", "--pool-blocks", "20", "--pool-policy", "bounded"});
  std::string moves;
  for (int i = 0; i < 40; ++i) moves += i % 2 == 0 ? kMoveRight : kMoveLeft;
  for (unsigned round = 0; round < 3; ++round) {
    STEP("60 clients log in and move, where there are 20 operations; then they leave, some by a reset");
    std::vector<TestClient> clients = connect_many(server.port, 60);
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send_some(login("p" + to_text(i)));
    for (TestClient& client : clients) client.send_some(moves);
    for (std::size_t i = 0; i < clients.size(); i += 2) clients[i].abort();
  }
  const auto count = [&](const std::string& part) { return count_in(server.output(), part); };
  check_eventually("the server says what became of each", [&] {
    return count("connected from") + count("could not be registered") + count("accept failed") == 180;
  });
  check_eventually("all have left", [&] { return count(" left: ") == count("connected from"); });
  STEP("two players come and play");
  TestClient ann(server.port);
  const std::string ann_id = log_in(ann, "ann");
  TestClient bob(server.port);
  const std::string bob_id = log_in(bob, "bob");
  step_of(ann, ann_id);
  wait_for_packet(bob, lab::SC_POSITION, ann_id);
  step_of(bob, bob_id);
  STEP("the server is asked to stop");
  server.stop();
  check_summary(server);
}

LAB_TEST(Lab06, ProgramGrowsAndStopsInOrder, "N10", kProgram) {
  ServerProgram server({"--threads", "4", "--pool-blocks", "4", "--pool-policy", "growing"});
  STEP("40 players log in where there are 4 operations; some send many moves and read nothing");
  std::vector<TestClient> clients = connect_many(server.port, 40);
  for (std::size_t i = 0; i < clients.size(); ++i) log_in(clients[i], "p" + to_text(i));
  std::string flood;
  for (int i = 0; i < 500; ++i) flood += kMoveRight + kMoveLeft;
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i].send(flood);
  STEP("the server is asked to stop");
  server.stop();
  server.wait_for_line("drained: 0 operations are outstanding");
  check_summary(server);
  const std::string pool = server.wait_for_line("pool: ");
  check("a growing pool is never exhausted; the server says " + pool,
        pool.find("exhausted 0 times") != std::string::npos);
  STEP("each player sees the end of the connection");
  for (TestClient& client : clients) client.receive_until_end();
}
