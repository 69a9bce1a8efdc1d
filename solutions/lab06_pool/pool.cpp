#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

namespace lab {
namespace {

// A lock for a few instructions. Without contention it costs one atomic operation, where a std::mutex costs two.
class SpinLock {
 public:
  void lock() {
    while (taken_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { taken_.clear(std::memory_order_release); }

 private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
};

struct Stripe;

struct Block : OverlappedEx {
  Stripe* home = nullptr;  // set once
  Block* next = nullptr;   // like `out`, protected by home->lock
  bool out = false;
};

// A part of the pool with its own lock. Threads begin at different stripes, so they seldom contend. A block always
// returns to its home, so one lock protects its whole state.
struct alignas(128) Stripe {
  SpinLock lock;  // protects what follows
  Block* free = nullptr;
  PoolStats stats;

  void push(Block* block) { block->next = std::exchange(free, block); }
  Block* pop() {
    Block* block = free;
    if (block == nullptr) return nullptr;
    free = block->next;
    block->out = true;
    ++stats.acquired;
    stats.high_water = std::max(stats.high_water, ++stats.in_use);
    return block;
  }
};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) {}

  const PoolPolicy policy;
  std::array<Stripe, 16> stripes;
  struct Slab {
    std::unique_ptr<Block[]> blocks;
    std::size_t count = 0;
  };
  std::mutex growing;          // one thread adds a slab at a time
  std::array<Slab, 40> slabs;  // each as large as all before it; complete before `slab_count` goes up
  std::atomic<std::size_t> slab_count{0};
  std::atomic<std::size_t> capacity{0};
  std::atomic<std::uint64_t> exhausted{0};
  std::atomic<std::uint64_t> bad_releases{0};

  void add_slab(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab = {std::make_unique_for_overwrite<Block[]>(count), count};  // the buffers need no zeroing
    for (std::size_t i = 0; i < count; ++i) slab.blocks[i].home = &stripes[i % stripes.size()];
    ++slab_count;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) {
      std::lock_guard guard(slab.blocks[i].home->lock);
      slab.blocks[i].home->push(&slab.blocks[i]);
    }
  }

  // Returns a free block, or null if there was a moment at which all were acquired.
  Block* take() {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t first = threads++;
    for (std::size_t i = 0; i < stripes.size(); ++i) {
      Stripe& stripe = stripes[(first + i) % stripes.size()];
      std::lock_guard guard(stripe.lock);
      if (Block* block = stripe.pop()) return block;
    }
    // Each stripe was empty when we checked it, but a block may have been released since. Check with all locks held.
    for (Stripe& stripe : stripes) stripe.lock.lock();
    Block* block = nullptr;
    for (Stripe& stripe : stripes) block = block != nullptr ? block : stripe.pop();
    for (Stripe& stripe : stripes) stripe.lock.unlock();
    return block;
  }

  // Returns the block at this address, or null if it is not of this pool. Uses only the address, never reads `*op`.
  Block* find(OverlappedEx* op) {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    for (std::size_t i = 0; i < slab_count; ++i) {
      const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(slabs[i].blocks.get());
      if (offset < slabs[i].count * sizeof(Block) && offset % sizeof(Block) == 0) return static_cast<Block*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->add_slab(std::max<std::size_t>(blocks, 1));
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "the pool ends while %zu operations are out; their memory is not freed\n", out);
  (void)state_.release();
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->take();
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) {
      ++state_->exhausted;
      return nullptr;
    }
    std::lock_guard guard(state_->growing);
    block = state_->take();  // another thread may have added a slab while we waited
    if (block == nullptr) state_->add_slab(state_->capacity);
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // destroyed after the lock is released: its destructor may close a socket
  if (Block* block = state_->find(op)) {
    std::lock_guard guard(block->home->lock);
    if (std::exchange(block->out, false)) {
      connection = std::move(block->connection);
      --block->home->stats.in_use;
      block->home->push(block);
      return true;
    }
  }
  ++state_->bad_releases;
  return false;
}

std::size_t OperationPool::in_use() const { return stats().in_use; }

PoolStats OperationPool::stats() const {
  PoolStats sum;
  for (Stripe& stripe : state_->stripes) {
    std::lock_guard guard(stripe.lock);
    sum.in_use += stripe.stats.in_use;
    sum.high_water += stripe.stats.high_water;
    sum.acquired += stripe.stats.acquired;
  }
  sum.capacity = state_->capacity;
  sum.exhausted = state_->exhausted;
  sum.bad_releases = state_->bad_releases;
  return sum;
}

}  // namespace lab
