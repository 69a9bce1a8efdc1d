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

// A lock for a few instructions. An idle one costs half of what a std::mutex costs: one atomic operation, not two.
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
  Stripe* home = nullptr;  // never changes
  Block* next = nullptr;   // protected by home->lock, like `out`
  bool out = false;
};

// A part of the pool with a lock of its own. Threads begin at different stripes, so they rarely meet at one lock.
// A block always returns to the stripe that it came from.
struct alignas(64) Stripe {
  SpinLock lock;  // protects what follows, and `next` and `out` of its blocks
  Block* free = nullptr;
  std::size_t out = 0;
  std::size_t high_water = 0;
  std::uint64_t acquired = 0;
};

constexpr std::size_t kStripes = 16;

}  // namespace

struct OperationPool::State {
  std::array<Stripe, kStripes> stripes;
  const PoolPolicy policy;
  std::atomic<std::uint64_t> exhausted{0};
  std::atomic<std::uint64_t> bad_releases{0};

  std::mutex growing;  // one thread adds a slab at a time; readers see `slab_count` go up after the slab is there
  struct Slab {
    std::unique_ptr<Block[]> blocks;
    std::size_t count = 0;
  };
  std::array<Slab, 40> slabs;
  std::atomic<std::size_t> slab_count{0};
  std::atomic<std::size_t> capacity{0};

  explicit State(PoolPolicy p) : policy(p) {}

  void add_slab(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab = {std::make_unique<Block[]>(count), count};
    ++slab_count;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) {
      Block& block = slab.blocks[i];
      block.home = &stripes[i % kStripes];
      std::lock_guard guard(block.home->lock);
      block.next = std::exchange(block.home->free, &block);
    }
  }

  // The block at this address, or null when it is none of ours. Does not look into `*op`.
  Block* find(OverlappedEx* op) {
    for (std::size_t i = 0; i < slab_count; ++i) {
      const auto begin = reinterpret_cast<std::uintptr_t>(slabs[i].blocks.get());
      const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(static_cast<void*>(op)) - begin;
      if (offset < slabs[i].count * sizeof(Block) && offset % sizeof(Block) == 0) return static_cast<Block*>(op);
    }
    return nullptr;
  }

  Block* take() {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t first = threads++;
    for (std::size_t i = 0; i < kStripes; ++i) {
      Stripe& stripe = stripes[(first + i) % kStripes];
      std::lock_guard guard(stripe.lock);
      if (Block* block = stripe.free) {
        stripe.free = block->next;
        block->out = true;
        ++stripe.acquired;
        stripe.high_water = std::max(stripe.high_water, ++stripe.out);
        return block;
      }
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->add_slab(std::max<std::size_t>(blocks, 1));
}

OperationPool::~OperationPool() {
  if (const std::size_t out = in_use(); out != 0) {
    std::fprintf(stderr, "the pool ends while %zu operations are out; their memory stays\n", out);
    state_.release();
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->take();
  if (block == nullptr) ++state_->exhausted;
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) return nullptr;
    std::lock_guard guard(state_->growing);
    block = state_->take();  // somebody else may have added a slab while we waited
    if (block == nullptr) state_->add_slab(state_->capacity);
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // dies after the lock is gone: its destructor may close a socket
  Block* block = op != nullptr ? state_->find(op) : nullptr;
  if (block != nullptr) {
    std::lock_guard guard(block->home->lock);
    if (std::exchange(block->out, false)) {
      connection = std::move(block->connection);
      block->next = std::exchange(block->home->free, block);
      --block->home->out;
      return true;
    }
  }
  ++state_->bad_releases;
  return false;
}

std::size_t OperationPool::in_use() const { return stats().in_use; }

PoolStats OperationPool::stats() const {
  PoolStats stats;
  for (Stripe& stripe : state_->stripes) {
    std::lock_guard guard(stripe.lock);
    stats.in_use += stripe.out;
    stats.high_water += stripe.high_water;
    stats.acquired += stripe.acquired;
  }
  stats.capacity = state_->capacity;
  stats.exhausted = state_->exhausted;
  stats.bad_releases = state_->bad_releases;
  return stats;
}

}  // namespace lab
