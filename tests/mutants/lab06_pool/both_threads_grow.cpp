// Wrong: two threads that find the pool empty both let it grow; the second one does not look once more.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <utility>
#include <vector>

namespace lab {
namespace {

struct Block : OverlappedEx {
  bool out = false;  // protected by State::mutex
};

struct Slab {
  std::unique_ptr<Block[]> blocks;
  std::size_t count = 0;
};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) {}

  const PoolPolicy policy;
  std::mutex growing;  // one thread makes operations at a time
  mutable std::mutex mutex;    // protects what follows
  std::vector<Slab> slabs;
  std::vector<Block*> free;  // has room for all
  PoolStats stats;

  void grow(std::size_t count) {
    Slab slab{std::make_unique<Block[]>(count), count};
    std::vector<Block*> room;
    room.reserve(stats.capacity + count);
    std::lock_guard lock(mutex);
    room.assign(free.begin(), free.end());
    free.swap(room);
    for (std::size_t i = 0; i < count; ++i) free.push_back(&slab.blocks[i]);
    stats.capacity += count;
    slabs.push_back(std::move(slab));
  }
  Block* take() {
    std::lock_guard lock(mutex);
    if (free.empty()) return nullptr;
    Block* const block = free.back();
    free.pop_back();
    block->out = true;
    ++stats.acquired;
    ++stats.in_use;
    stats.high_water = std::max(stats.high_water, stats.in_use);
    return block;
  }
  Block* find(OverlappedEx* op) const {
    for (const Slab& slab : slabs) {
      const std::size_t offset = reinterpret_cast<std::uintptr_t>(op) - reinterpret_cast<std::uintptr_t>(slab.blocks.get());
      if (offset < slab.count * sizeof(Block) && offset % sizeof(Block) == 0) return static_cast<Block*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->grow(std::max<std::size_t>(blocks, 1));
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "%zu operations are still out at the end of the pool\n", out);
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->take();
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) {
      std::lock_guard lock(state_->mutex);
      ++state_->stats.exhausted;
      return nullptr;
    }
    std::lock_guard lock(state_->growing);
    state_->grow(state_->stats.capacity);
    block = state_->take();
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // dies after the lock has gone
  std::lock_guard lock(state_->mutex);
  Block* const block = state_->find(op);
  if (block == nullptr || !block->out) {
    ++state_->stats.bad_releases;
    return false;
  }
  block->out = false;
  connection = std::move(block->connection);
  --state_->stats.in_use;
  state_->free.push_back(block);
  return true;
}

std::size_t OperationPool::in_use() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats.in_use;
}

PoolStats OperationPool::stats() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace lab
