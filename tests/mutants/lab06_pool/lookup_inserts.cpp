// Wrong: release looks an address up with operator[] of a std::map, which inserts an entry for each address that is not
// there: a `new` under the lock, and memory that grows with each foreign pointer. The answer (false) is right.
// Breaks: pool.h release: "changes nothing when `op` is null ... or was never this pool's"; README step 1 "only look up ...
// afterwards"; no `new` after the start.
// Shows: when foreign pointers or null are released: counted calls of `new`. All figures stay right, as long as the heap
// never puts an operation of a later growth at such an address.
#include "pool.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace lab {
namespace {

struct Entry {
  OverlappedEx* op = nullptr;
  bool out = false;
};
using Slab = std::unique_ptr<OverlappedEx[]>;

}  // namespace

struct OperationPool::State {
  PoolPolicy policy = PoolPolicy::bounded;
  std::mutex growing;  // one thread grows at a time
  std::mutex lock;     // protects what follows
  std::vector<Slab> slabs;
  std::map<const OverlappedEx*, Entry> entries;  // all operations by address; to look one up calls no `new`
  std::vector<Entry*> free;
  PoolStats stats;  // `capacity` is written with both locks held

  // Everything is made before the lock is taken.
  void grow(std::size_t count) {
    Slab slab = std::make_unique_for_overwrite<OverlappedEx[]>(count);
    std::map<const OverlappedEx*, Entry> fresh;
    for (std::size_t i = 0; i < count; ++i) fresh[&slab[i]].op = &slab[i];
    std::vector<Slab> more_slabs;
    more_slabs.reserve(slabs.size() + 1);
    std::vector<Entry*> more_free;
    more_free.reserve(stats.capacity + count);

    std::lock_guard guard(lock);
    for (Slab& old : slabs) more_slabs.push_back(std::move(old));
    more_slabs.push_back(std::move(slab));
    slabs.swap(more_slabs);
    more_free.insert(more_free.end(), free.begin(), free.end());
    for (auto& [address, entry] : fresh) more_free.push_back(&entry);
    free.swap(more_free);
    entries.merge(fresh);  // moves the nodes
    stats.capacity += count;
  }

  OverlappedEx* take() {
    std::lock_guard guard(lock);
    if (free.empty()) return nullptr;
    Entry* const entry = free.back();
    free.pop_back();
    entry->out = true;
    ++stats.acquired;
    stats.high_water = std::max(stats.high_water, ++stats.in_use);
    return entry->op;
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
  OverlappedEx* block = state_->take();
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
  Entry& entry = state_->entries[op];
  if (!entry.out) {  // free, or not ours
    ++state_->stats.bad_releases;
    return false;
  }
  connection = std::move(op->connection);
  entry.out = false;
  --state_->stats.in_use;
  state_->free.push_back(&entry);
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
