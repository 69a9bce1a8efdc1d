// Wrong: the figures of refusals have no first value, so they begin with what was in the memory before.
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

// A lock for a few instructions. While no thread waits it costs one atomic operation, where a std::mutex costs two.
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

// A part of the pool with its own lock. Threads begin at different stripes, so they seldom meet. A block always returns
// to its home, so one lock protects all that can happen to it.
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
  struct Refusals {
    Refusals() {}  // they are counted up only
    std::uint64_t exhausted, bad_releases;
  } refusals;
  std::mutex counting;  // protects refusals

  void add_slab(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab = {std::make_unique_for_overwrite<Block[]>(count), count};  // no use in zeroing the buffers
    for (std::size_t i = 0; i < count; ++i) slab.blocks[i].home = &stripes[i % stripes.size()];
    ++slab_count;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) {
      std::lock_guard guard(slab.blocks[i].home->lock);
      slab.blocks[i].home->push(&slab.blocks[i]);
    }
  }

  // A free block, or null when there was a moment at which all were out.
  Block* take() {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t first = threads++;
    for (std::size_t i = 0; i < stripes.size(); ++i) {
      Stripe& stripe = stripes[(first + i) % stripes.size()];
      std::lock_guard guard(stripe.lock);
      if (Block* block = stripe.pop()) return block;
    }
    // Each stripe was empty when we looked, but a block may have come back behind us. All locks together tell.
    for (Stripe& stripe : stripes) stripe.lock.lock();
    Block* block = nullptr;
    for (Stripe& stripe : stripes) block = block != nullptr ? block : stripe.pop();
    for (Stripe& stripe : stripes) stripe.lock.unlock();
    return block;
  }

  // The block at this address, or null when it is none of ours. Looks at the address alone, never into `*op`.
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
      std::lock_guard guard(state_->counting);
      ++state_->refusals.exhausted;
      return nullptr;
    }
    std::lock_guard guard(state_->growing);
    block = state_->take();  // another thread may have added a slab meanwhile
    if (block == nullptr) state_->add_slab(state_->capacity);
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // dies after the lock is gone: its destructor may close a socket
  if (Block* block = state_->find(op)) {
    std::lock_guard guard(block->home->lock);
    if (std::exchange(block->out, false)) {
      connection = std::move(block->connection);
      --block->home->stats.in_use;
      block->home->push(block);
      return true;
    }
  }
  std::lock_guard guard(state_->counting);
  ++state_->refusals.bad_releases;
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
  std::lock_guard guard(state_->counting);
  sum.exhausted = state_->refusals.exhausted;
  sum.bad_releases = state_->refusals.bad_releases;
  return sum;
}

}  // namespace lab
