// Right: a permit says that an operation is free; the counter never goes below zero. Who has a permit finds one.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace lab {

namespace {

class Permits {
 public:
  bool take() {
    std::size_t now = count_;
    while (now > 0 && !count_.compare_exchange_weak(now, now - 1)) {
    }
    return now > 0;
  }
  void give(std::size_t count) { count_ += count; }

 private:
  std::atomic<std::size_t> count_{0};
};

struct Cell {
  OverlappedEx op;
  std::atomic<bool> out{false};
};

}  // namespace

struct OperationPool::State {
  PoolPolicy policy{};
  Permits permits;
  std::atomic<std::size_t> in_use{0}, high_water{0}, capacity{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};
  std::mutex free_mutex;  // protects `free`
  std::vector<Cell*> free;
  std::mutex growth;            // one thread at a time makes operations
  std::shared_mutex directory;  // protects `slabs`
  std::map<std::uintptr_t, std::pair<std::unique_ptr<Cell[]>, std::size_t>, std::greater<>> slabs;  // by address

  // Free operations, and all but one permit: that one is the caller's.
  Cell* make(std::size_t count) {
    auto cells = std::make_unique<Cell[]>(count);
    std::vector<Cell*> room;
    room.reserve(capacity + count);
    decltype(slabs) one;
    Cell* const first = cells.get();
    one.emplace(reinterpret_cast<std::uintptr_t>(first), std::pair(std::move(cells), count));
    {
      std::lock_guard lock(directory);
      slabs.merge(one);
    }
    {
      std::lock_guard lock(free_mutex);
      room.assign(free.begin(), free.end());
      for (std::size_t i = 1; i < count; ++i) room.push_back(first + i);
      free.swap(room);
    }
    capacity += count;
    permits.give(count - 1);
    return first;
  }
  Cell* pop() {
    std::lock_guard lock(free_mutex);
    Cell* const cell = free.back();
    free.pop_back();
    return cell;
  }
  // There is room: `free` was made large enough for all.
  void push(Cell* cell) {
    {
      std::lock_guard lock(free_mutex);
      free.push_back(cell);
    }
    permits.give(1);
  }
  Cell* cell_of(OverlappedEx* op) {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    std::shared_lock lock(directory);
    const auto slab = slabs.lower_bound(address);
    if (slab == slabs.end()) return nullptr;
    const std::uintptr_t offset = address - slab->first;
    if (offset % sizeof(Cell) != 0 || offset / sizeof(Cell) >= slab->second.second) return nullptr;
    return slab->second.first.get() + offset / sizeof(Cell);
  }
  OverlappedEx* hand_out(Cell* cell, OpKind kind) {
    cell->op.overlapped = OVERLAPPED{};
    cell->op.kind = kind;
    cell->op.wsabuf = {static_cast<ULONG>(kBufferSize), cell->op.buffer};
    const std::size_t now = ++in_use;
    std::size_t most = high_water;
    while (most < now && !high_water.compare_exchange_weak(most, now)) {
    }
    ++acquired;
    cell->out = true;
    return &cell->op;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->push(state_->make(std::max<std::size_t>(blocks, 1)));
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out > 0) {
    std::fprintf(stderr, "pool: %zu operations out, not freed\n", out);
    static_cast<void>(state_.release());
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  if (state_->permits.take()) return state_->hand_out(state_->pop(), kind);
  if (state_->policy == PoolPolicy::bounded) {
    ++state_->exhausted;
    return nullptr;
  }
  std::lock_guard lock(state_->growth);
  if (state_->permits.take()) return state_->hand_out(state_->pop(), kind);
  return state_->hand_out(state_->make(state_->capacity), kind);
}

bool OperationPool::release(OverlappedEx* op) {
  Cell* const cell = state_->cell_of(op);
  if (cell == nullptr || !cell->out.exchange(false)) {
    ++state_->bad_releases;
    return false;
  }
  const auto connection = std::move(cell->op.connection);
  --state_->in_use;
  state_->push(cell);
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats stats;
  stats.capacity = state_->capacity;
  stats.in_use = std::min<std::size_t>(state_->in_use, stats.capacity);
  stats.high_water = std::min<std::size_t>(state_->high_water, stats.capacity);
  stats.acquired = state_->acquired;
  stats.exhausted = state_->exhausted;
  stats.bad_releases = state_->bad_releases;
  return stats;
}

}  // namespace lab
