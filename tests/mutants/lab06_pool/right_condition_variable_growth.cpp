// Right: one mutex for all. There is no second mutex for growing: one thread sets a flag and makes the operations
// without the lock; the others wait on a condition variable until the growth has ended (notify_all) or an operation comes
// back (notify_one), and look again. RAII ends the growth also when there is no memory.
#include "pool.h"

#include <algorithm>
#include <condition_variable>
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
  std::mutex lock;               // protects what follows
  std::condition_variable some;  // the growth has ended, or an operation has come back
  std::size_t waiting = 0;       // threads that wait for `some`
  bool growing = false;          // one thread grows; nobody else writes slabs and capacity meanwhile
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

  // Says that the growth has ended, also when there was no memory. Takes the lock again.
  struct Growth {
    State& state;
    std::unique_lock<std::mutex>& held;
    Growth(State& s, std::unique_lock<std::mutex>& h) : state(s), held(h) {
      state.growing = true;
      held.unlock();
    }
    Growth(const Growth&) = delete;
    Growth& operator=(const Growth&) = delete;
    ~Growth() {
      held.lock();
      state.growing = false;
      state.some.notify_all();
    }
  };

  // With the lock held.
  Block* take() {
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
  State& state = *state_;
  Block* block = nullptr;
  {
    std::unique_lock held(state.lock);
    while ((block = state.take()) == nullptr) {
      if (state.policy == PoolPolicy::bounded) {
        ++state.stats.exhausted;
        return nullptr;
      }
      if (state.growing) {
        ++state.waiting;
        state.some.wait(held);  // the loop looks again, whatever woke us
        --state.waiting;
      } else {
        const std::size_t count = state.stats.capacity;
        State::Growth growth(state, held);
        state.grow(count);
      }
    }
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
  --state_->stats.in_use;
  state_->free.push_back(block);
  if (state_->waiting != 0) state_->some.notify_one();
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
