// Wrong: the high-water mark is an atomic, but "compare, then store" is not one step: of two threads the one with the
// smaller number may store last.
// Breaks: pool.h "high_water: the most that were ever out at once; ... and is never too low".
// Shows: two threads acquire at the peak at the same time; the mark is then one too low. Never with one thread. (No data race.)
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>
#include <vector>

namespace lab {
namespace {

struct Block : OverlappedEx {
  bool out = false;  // protected by State::lock
};

struct Slab {
  std::unique_ptr<Block[]> blocks;
  std::size_t count = 0;
};

}  // namespace

struct OperationPool::State {
  PoolPolicy policy = PoolPolicy::bounded;
  std::mutex growing;        // one thread grows at a time
  std::mutex lock;           // protects what follows; slabs and capacity change only with `growing` held, too
  std::vector<Slab> slabs;
  std::vector<Block*> free;
  PoolStats stats;  // but for these two, which are read often
  std::atomic<std::size_t> in_use{0};
  std::atomic<std::size_t> high_water{0};

  // Everything is made before the lock is taken.
  void grow(std::size_t count) {
    Slab slab{std::make_unique_for_overwrite<Block[]>(count), count};
    std::vector<Slab> more_slabs;
    more_slabs.reserve(slabs.size() + 1);
    std::vector<Block*> more_free;
    more_free.reserve(stats.capacity + count);

    std::lock_guard guard(lock);
    for (Slab& old : slabs) more_slabs.push_back(std::move(old));
    more_free.insert(more_free.end(), free.begin(), free.end());
    for (std::size_t i = 0; i < count; ++i) more_free.push_back(&slab.blocks[i]);
    more_slabs.push_back(std::move(slab));
    slabs.swap(more_slabs);
    free.swap(more_free);
    stats.capacity += count;
  }

  Block* take() {
    Block* block = nullptr;
    std::size_t now = 0;
    {
      std::lock_guard guard(lock);
      if (free.empty()) return nullptr;
      block = free.back();
      free.pop_back();
      block->out = true;
      ++stats.acquired;
      now = ++in_use;
    }
    if (now > high_water) high_water = now;
    return block;
  }

  // By the address alone.
  Block* find(OverlappedEx* op) const {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    for (const Slab& slab : slabs) {
      const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(slab.blocks.get());
      if (offset < slab.count * sizeof(Block) && offset % sizeof(Block) == 0) return static_cast<Block*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->grow(blocks == 0 ? 1 : blocks);
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "pool: %zu operations are still out, their memory stays\n", out);
  (void)state_.release();
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->take();
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) {
      std::lock_guard guard(state_->lock);
      ++state_->stats.exhausted;
      return nullptr;
    }
    std::lock_guard one(state_->growing);
    block = state_->take();
    if (block == nullptr) state_->grow(state_->stats.capacity);
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  block->connection = nullptr;
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // dies after the lock is gone
  std::lock_guard guard(state_->lock);
  Block* const block = state_->find(op);
  if (block == nullptr || !block->out) {
    ++state_->stats.bad_releases;
    return false;
  }
  connection = std::move(block->connection);
  block->out = false;
  --state_->in_use;
  state_->free.push_back(block);
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  std::lock_guard guard(state_->lock);
  PoolStats now = state_->stats;
  now.in_use = state_->in_use;
  now.high_water = state_->high_water;
  return now;
}

}  // namespace lab
