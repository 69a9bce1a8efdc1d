// Wrong: release looks at the flag and clears it in two steps, so two threads that release the same operation both find it out.
#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

namespace lab {
namespace {

struct Cell : OverlappedEx {
  std::atomic<std::uint32_t> next{0};  // index + 1 of the free cell below; 0: none
  std::atomic<bool> out{false};
  std::uint32_t index = 0;             // of this cell
};

}  // namespace

struct OperationPool::State {
  const PoolPolicy policy;
  std::mutex growing;                               // one thread makes cells at a time
  std::array<std::unique_ptr<Cell[]>, 33> slabs;    // complete before slab_count counts them
  std::array<std::size_t, 33> begins{}, sizes{};
  std::atomic<unsigned> slab_count{0};
  std::atomic<std::uint64_t> top{0};                // tag << 32 | index + 1
  std::atomic<std::size_t> capacity{0}, in_use{0}, high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};

  explicit State(PoolPolicy p) : policy(p) {}

  Cell& cell(std::size_t index) {
    unsigned slab = 0;
    while (index - begins[slab] >= sizes[slab]) ++slab;
    return slabs[slab][index - begins[slab]];
  }

  // The tag counts each change, so a top that has gone and come back is seen (ABA).
  static std::uint64_t changed(std::uint64_t old, std::uint32_t link) { return ((old >> 32) + 1) << 32 | link; }

  void push(Cell& cell) {
    std::uint64_t old = top;
    do {
      cell.next = static_cast<std::uint32_t>(old);
    } while (!top.compare_exchange_weak(old, changed(old, cell.index + 1)));
  }
  Cell* pop() {
    for (std::uint64_t old = top;;) {
      const auto link = static_cast<std::uint32_t>(old);
      if (link == 0) return nullptr;
      Cell& first = cell(link - 1);
      if (top.compare_exchange_weak(old, changed(old, first.next))) return &first;
    }
  }
  void grow(std::size_t count) {
    const unsigned slab = slab_count;
    slabs[slab] = std::make_unique_for_overwrite<Cell[]>(count);
    begins[slab] = capacity;
    sizes[slab] = count;
    for (std::size_t i = 0; i < count; ++i) slabs[slab][i].index = static_cast<std::uint32_t>(capacity + i);
    slab_count = slab + 1;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) push(slabs[slab][i]);
  }
  Cell* find(const OverlappedEx* op) {
    for (unsigned i = 0; i < slab_count; ++i) {
      const auto offset = reinterpret_cast<std::uintptr_t>(op) - reinterpret_cast<std::uintptr_t>(slabs[i].get());
      if (offset >= sizes[i] * sizeof(Cell)) continue;
      return offset % sizeof(Cell) == 0 ? &slabs[i][offset / sizeof(Cell)] : nullptr;
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
  std::fprintf(stderr, "%zu operations are out when the pool ends\n", out);
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& s = *state_;
  Cell* cell = s.pop();
  while (cell == nullptr) {
    if (s.policy == PoolPolicy::bounded) {
      ++s.exhausted;
      return nullptr;
    }
    std::lock_guard one_at_a_time(s.growing);
    cell = s.pop();
    if (cell == nullptr) s.grow(s.capacity);
  }
  const std::size_t now = ++s.in_use;
  for (std::size_t seen = s.high_water; seen < now && !s.high_water.compare_exchange_weak(seen, now);) {
  }
  ++s.acquired;
  cell->overlapped = {};
  cell->kind = kind;
  cell->wsabuf = {static_cast<ULONG>(kBufferSize), cell->buffer};
  cell->out = true;
  return cell;
}

bool OperationPool::release(OverlappedEx* op) {
  State& s = *state_;
  Cell* const cell = s.find(op);
  if (cell == nullptr || !cell->out) {  // released before
    ++s.bad_releases;
    return false;
  }
  cell->out = false;
  const auto connection = std::move(cell->connection);
  --s.in_use;
  s.push(*cell);
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  const State& s = *state_;
  PoolStats stats;
  stats.capacity = s.capacity;
  stats.in_use = s.in_use;
  stats.high_water = std::min<std::size_t>(s.high_water, stats.capacity);
  stats.acquired = s.acquired;
  stats.exhausted = s.exhausted;
  stats.bad_releases = s.bad_releases;
  return stats;
}

}  // namespace lab
