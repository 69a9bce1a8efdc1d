// Wrong: the count of permits goes below zero and is corrected afterwards; meanwhile a thread is refused although one is free.
#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

namespace lab {

namespace {
struct Block : OverlappedEx {
  std::atomic<std::uint32_t> next{0};  // number of the next free block, 0: none
  std::atomic<bool> out{false};
};

template <class T>
void raise(std::atomic<T>& most, T value) {
  T old = most.load();
  while (old < value && !most.compare_exchange_weak(old, value)) {
  }
}
}  // namespace

struct OperationPool::State {
  PoolPolicy policy{};
  std::mutex growing;
  std::array<std::unique_ptr<Block[]>, 40> owner;   // written by who grows
  std::array<std::atomic<Block*>, 40> slabs{};
  std::array<std::atomic<std::size_t>, 40> begins{};  // number of the first block of each slab, from 0
  std::atomic<std::size_t> slab_count{0};
  std::atomic<std::size_t> capacity{0}, in_use{0}, high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad{0};
  std::atomic<std::uint64_t> top{0};  // low 32: number of the block + 1; high 32: tag

  Block& at(std::uint32_t number) const {
    std::size_t s = slab_count;
    while (begins[s - 1] > number) --s;
    return slabs[s - 1].load()[number - begins[s - 1]];
  }
  void push(std::uint32_t number) {
    Block& block = at(number);
    std::uint64_t old = top;
    std::uint64_t now;
    do {
      block.next = static_cast<std::uint32_t>(old);
      now = ((old >> 32) + 1) << 32 | (number + 1);
    } while (!top.compare_exchange_weak(old, now));
  }
  std::atomic<long long> permits{0};
  Block* pop() {
    if (permits.fetch_sub(1) <= 0) {
      ++permits;
      return nullptr;
    }
    std::uint64_t old = top;
    for (;;) {
      const auto number = static_cast<std::uint32_t>(old);
      if (number == 0) {
        old = top;
        continue;
      }
      Block& block = at(number - 1);
      const std::uint64_t now = ((old >> 32) + 1) << 32 | block.next;
      if (top.compare_exchange_weak(old, now)) {
        ++acquired;
        raise(high_water, ++in_use);
        block.out = true;
        return &block;
      }
    }
  }
  void add(std::size_t count) {
    const std::size_t s = slab_count;
    const std::size_t begin = capacity;
    owner[s] = std::make_unique_for_overwrite<Block[]>(count);
    begins[s] = begin;
    slabs[s] = owner[s].get();
    slab_count = s + 1;
    capacity = begin + count;
    for (std::size_t i = count; i-- > 0;) push(static_cast<std::uint32_t>(begin + i));
    permits += static_cast<long long>(count);
  }
  bool find(OverlappedEx* op, std::uint32_t& number) const {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    for (std::size_t s = 0, n = slab_count; s < n; ++s) {
      const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(slabs[s].load());
      const std::size_t count = s == 0 ? first : begins[s].load();
      if (offset < count * sizeof(Block) && offset % sizeof(Block) == 0) {
        number = static_cast<std::uint32_t>(begins[s] + offset / sizeof(Block));
        return true;
      }
    }
    return false;
  }
  std::size_t first = 0;
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->first = std::max<std::size_t>(blocks, 1);
  state_->add(state_->first);
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "%zu operations are out\n", out);
  (void)state_.release();
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->pop();
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) {
      ++state_->exhausted;
      return nullptr;
    }
    std::lock_guard growing(state_->growing);
    block = state_->pop();
    if (block == nullptr) state_->add(state_->capacity);
  }
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  std::uint32_t number = 0;
  if (!state_->find(op, number) || !static_cast<Block*>(op)->out.exchange(false)) {
    ++state_->bad;
    return false;
  }
  const std::shared_ptr<Connection> connection = std::move(op->connection);
  --state_->in_use;
  state_->push(number);
  ++state_->permits;
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats r;
  r.capacity = state_->capacity;
  r.in_use = state_->in_use;
  r.high_water = state_->high_water;
  r.acquired = state_->acquired;
  r.exhausted = state_->exhausted;
  r.bad_releases = state_->bad;
  return r;
}

}  // namespace lab
