// Right: the free list is an interlocked singly linked list of the system (SLIST), with its 16-byte alignment.
#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

namespace lab {
namespace {

// The list entry must be aligned to MEMORY_ALLOCATION_ALIGNMENT, so the whole block is.
struct alignas(MEMORY_ALLOCATION_ALIGNMENT) Block {
  SLIST_ENTRY entry;
  OverlappedEx op;
  std::atomic<bool> out{false};
};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) { ::InitializeSListHead(&free); }

  SLIST_HEADER free;
  const PoolPolicy policy;
  struct Slab {
    std::unique_ptr<Block[]> blocks;
    std::size_t count = 0;
  };
  std::mutex growing;
  std::array<Slab, 48> slabs;
  std::atomic<std::size_t> slab_count{0};  // goes up when the slab is complete
  std::atomic<std::size_t> capacity{0};
  std::atomic<std::size_t> in_use{0};
  std::atomic<std::size_t> high_water{0};
  std::atomic<std::uint64_t> acquired{0};
  std::atomic<std::uint64_t> exhausted{0};
  std::atomic<std::uint64_t> bad_releases{0};

  // Makes `count` blocks. The first one is for the caller, the others are free.
  Block* add_slab(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab.blocks = std::make_unique<Block[]>(count);
    slab.count = count;
    ++slab_count;
    capacity += count;
    for (std::size_t i = 1; i < count; ++i) push(&slab.blocks[i]);
    return &slab.blocks[0];
  }
  void push(Block* block) { ::InterlockedPushEntrySList(&free, &block->entry); }
  Block* pop() {
    SLIST_ENTRY* const entry = ::InterlockedPopEntrySList(&free);
    return entry == nullptr ? nullptr : CONTAINING_RECORD(entry, Block, entry);
  }

  Block* find(const OverlappedEx* op) const {
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(op) - offsetof(Block, op);
    for (std::size_t i = 0; i < slab_count; ++i) {
      const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(slabs[i].blocks.get());
      if (offset < slabs[i].count * sizeof(Block) && offset % sizeof(Block) == 0) {
        return &slabs[i].blocks[offset / sizeof(Block)];
      }
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->push(state_->add_slab(std::max<std::size_t>(blocks, 1)));
}

OperationPool::~OperationPool() {
  if (const std::size_t out = in_use(); out != 0) {
    std::fprintf(stderr, "%zu operations have not come back; the pool leaves them where they are\n", out);
    static_cast<void>(state_.release());
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& state = *state_;
  Block* block = state.pop();
  if (block == nullptr) {
    if (state.policy == PoolPolicy::bounded) {
      ++state.exhausted;
      return nullptr;
    }
    std::lock_guard lock(state.growing);
    block = state.pop();  // who was here before us may have left some
    if (block == nullptr) block = state.add_slab(state.capacity);
  }
  const std::size_t now = ++state.in_use;
  std::size_t most = state.high_water;
  while (most < now && !state.high_water.compare_exchange_weak(most, now)) {
  }
  ++state.acquired;
  OverlappedEx& op = block->op;
  op.overlapped = OVERLAPPED{};
  op.kind = kind;
  op.wsabuf.len = static_cast<ULONG>(kBufferSize);
  op.wsabuf.buf = op.buffer;
  block->out.store(true);
  return &op;
}

bool OperationPool::release(OverlappedEx* op) {
  Block* const block = state_->find(op);
  if (block == nullptr || !block->out.exchange(false)) {
    ++state_->bad_releases;
    return false;
  }
  const std::shared_ptr<Connection> connection = std::move(op->connection);  // goes last, and there is no lock
  --state_->in_use;
  state_->push(block);
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats stats;
  stats.capacity = state_->capacity;
  stats.in_use = state_->in_use;
  stats.high_water = std::min(state_->high_water.load(), stats.capacity);
  stats.acquired = state_->acquired;
  stats.exhausted = state_->exhausted;
  stats.bad_releases = state_->bad_releases;
  return stats;
}

}  // namespace lab
