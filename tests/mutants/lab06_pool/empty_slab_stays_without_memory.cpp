// Wrong: the entry of a slab is made before its memory; without memory it stays, and addresses near 0 are in it.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <vector>

namespace lab {

namespace {
struct Block : OverlappedEx {
  Block* next = nullptr;
  bool out = false;
};
}  // namespace

struct OperationPool::State {
  PoolPolicy policy;
  std::mutex growing;
  mutable std::mutex mutex;  // protects what follows
  struct Slab {
    std::unique_ptr<Block[]> blocks;
    std::size_t count;
  };
  std::vector<Slab> slabs;
  Block* free = nullptr;
  PoolStats stats;

  void add(std::unique_ptr<Block[]> blocks, std::size_t count) {
    for (std::size_t i = count; i-- > 0;) {
      blocks[i].next = free;
      free = &blocks[i];
    }
    slabs.push_back({std::move(blocks), count});
    stats.capacity += count;
  }
  Block* pop() {
    Block* block = free;
    if (block == nullptr) return nullptr;
    free = block->next;
    block->out = true;
    ++stats.acquired;
    ++stats.in_use;
    stats.high_water = std::max(stats.high_water, stats.in_use);
    return block;
  }
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
  state_->slabs.reserve(40);
  blocks = std::max<std::size_t>(blocks, 1);
  state_->add(std::make_unique_for_overwrite<Block[]>(blocks), blocks);
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "%zu operations are out\n", out);
  (void)state_.release();
}

static OverlappedEx* fresh(Block* block, OpKind kind) {
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& s = *state_;
  {
    std::lock_guard guard(s.mutex);
    if (Block* block = s.pop()) return fresh(block, kind);
    if (s.policy == PoolPolicy::bounded) {
      ++s.stats.exhausted;
      return nullptr;
    }
  }
  std::lock_guard growing(s.growing);
  std::size_t count = 0;
  {
    std::lock_guard guard(s.mutex);
    if (Block* block = s.pop()) return fresh(block, kind);
    count = s.stats.capacity;
  }
  {
    std::lock_guard guard(s.mutex);
    s.slabs.push_back({nullptr, count});
  }
  auto blocks = std::make_unique_for_overwrite<Block[]>(count);
  std::lock_guard guard(s.mutex);
  s.slabs.pop_back();
  s.add(std::move(blocks), count);
  return fresh(s.pop(), kind);
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;
  std::lock_guard guard(state_->mutex);
  Block* block = state_->find(op);
  if (block == nullptr || !block->out) {
    ++state_->stats.bad_releases;
    return false;
  }
  block->out = false;
  connection = std::move(block->connection);
  block->next = state_->free;
  state_->free = block;
  --state_->stats.in_use;
  return true;
}

std::size_t OperationPool::in_use() const { return stats().in_use; }

PoolStats OperationPool::stats() const {
  std::lock_guard guard(state_->mutex);
  return state_->stats;
}

}  // namespace lab
