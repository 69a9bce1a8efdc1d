// Wrong: release marks the operation as free and takes it out of in_use first, then lets the connection die, and only then
// puts it into the free list. In between in_use() says that it is back, and acquire says that all are out.
// Breaks: pool.h "Null when the pool is bounded and all are out"; "in_use: operations that are out" (a growing pool grows
// although in_use() is below capacity).
// Shows: a second thread that acquires in that moment (long when the connection's destructor closes a socket), or who waits
// for in_use() == 0 and then acquires.
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
  PoolStats stats;

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
    std::lock_guard guard(lock);
    if (free.empty()) return nullptr;
    Block* block = free.back();
    free.pop_back();
    block->out = true;
    ++stats.acquired;
    stats.high_water = std::max(stats.high_water, ++stats.in_use);
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
  std::shared_ptr<Connection> connection;
  Block* block = nullptr;
  {
    std::lock_guard guard(state_->lock);
    block = state_->find(op);
    if (block == nullptr || !block->out) {
      ++state_->stats.bad_releases;
      return false;
    }
    connection = std::move(block->connection);
    block->out = false;
    --state_->stats.in_use;
  }
  connection = nullptr;  // not under the lock
  std::lock_guard guard(state_->lock);
  state_->free.push_back(block);
  return true;
}

std::size_t OperationPool::in_use() const {
  std::lock_guard guard(state_->lock);
  return state_->stats.in_use;
}

PoolStats OperationPool::stats() const {
  std::lock_guard guard(state_->lock);
  return state_->stats;
}

}  // namespace lab
