// Wrong: a lock-free free list without a tag. pop reads top->next, and then swaps the head if it is still `top`. If `top`
// was taken and came back meanwhile (ABA), `next` is old: the head then points to an operation that is out.
// Breaks: overlapped_ex.h acquire "for the caller alone"; README Bonus: "What is the ABA problem".
// Shows: three or more threads that acquire and release very fast: the same operation twice, or some are lost. (All fields are
// atomic, so this is no data race in the language's sense.)
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

struct Block : OverlappedEx {
  std::atomic<Block*> next{nullptr};
  std::atomic<bool> out{false};
};

class FreeList {
 public:
  void push(Block* block) {
    Block* top = head_.load();
    do {
      block->next.store(top);
    } while (!head_.compare_exchange_weak(top, block));
  }
  Block* pop() {
    Block* top = head_.load();
    while (top != nullptr && !head_.compare_exchange_weak(top, top->next.load())) {
    }
    return top;
  }

 private:
  std::atomic<Block*> head_{nullptr};
};

struct Slab {
  std::unique_ptr<Block[]> blocks;
  std::size_t count = 0;
};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) {}

  const PoolPolicy policy;
  FreeList free;
  std::mutex growing;
  std::array<Slab, 48> slabs;  // complete before slab_count says so
  std::atomic<std::size_t> slab_count{0};
  std::atomic<std::size_t> capacity{0};
  std::atomic<std::size_t> in_use{0};  // never above capacity: counted up before pop, down after push
  std::atomic<std::size_t> high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};

  void add(std::size_t count) {
    slabs[slab_count] = {std::make_unique_for_overwrite<Block[]>(count), count};
    Block* const blocks = slabs[slab_count].blocks.get();
    ++slab_count;
    for (std::size_t i = 0; i < count; ++i) free.push(&blocks[i]);
    capacity += count;
  }

  // The right to one free block. There is one in the list for whoever has it.
  bool reserve() {
    std::size_t now = in_use.load();
    do {
      if (now >= capacity) return false;
      std::size_t high = high_water.load();
      while (high < now + 1 && !high_water.compare_exchange_weak(high, now + 1)) {
      }
    } while (!in_use.compare_exchange_weak(now, now + 1));
    return true;
  }

  Block* find(OverlappedEx* op) {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    for (std::size_t i = 0; i < slab_count; ++i) {
      const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(slabs[i].blocks.get());
      if (offset < slabs[i].count * sizeof(Block) && offset % sizeof(Block) == 0) return static_cast<Block*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->add(std::max<std::size_t>(blocks, 1));
}

OperationPool::~OperationPool() {
  if (const std::size_t out = in_use()) {
    std::fprintf(stderr, "pool: %zu operations are still out\n", out);
    (void)state_.release();
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  while (!state_->reserve()) {
    if (state_->policy == PoolPolicy::bounded) {
      ++state_->exhausted;
      return nullptr;
    }
    std::lock_guard guard(state_->growing);
    if (state_->in_use >= state_->capacity) state_->add(state_->capacity);
  }
  Block* block = nullptr;
  while ((block = state_->free.pop()) == nullptr) std::this_thread::yield();
  ++state_->acquired;
  block->overlapped = OVERLAPPED{};
  block->kind = kind;
  block->wsabuf = {static_cast<ULONG>(kBufferSize), block->buffer};
  block->out = true;
  return block;
}

bool OperationPool::release(OverlappedEx* op) {
  Block* const block = state_->find(op);
  if (block == nullptr || !block->out.exchange(false)) {
    ++state_->bad_releases;
    return false;
  }
  const std::shared_ptr<Connection> connection = std::move(block->connection);
  state_->free.push(block);
  --state_->in_use;
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  return {state_->capacity, state_->in_use, state_->high_water, state_->acquired, state_->exhausted,
          state_->bad_releases};
}

}  // namespace lab
