// Right: a lock-free stack of nodes. A hazard pointer keeps a node from coming back while another thread looks at it.
#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

namespace lab {

namespace {

struct Block {
  OverlappedEx op;
  std::atomic<Block*> next{nullptr};
  std::atomic<bool> out{false};
};

// The slots in which threads say at which block they look.
class Hazards {
 public:
  class Slot {
   public:
    explicit Slot(Hazards& of) {
      for (std::size_t i = 0;; ++i) {
        Entry& entry = of.entries_[i % of.entries_.size()];
        if (!entry.taken.exchange(true)) {
          entry_ = &entry;
          return;
        }
        if (i % of.entries_.size() == of.entries_.size() - 1) std::this_thread::yield();
      }
    }
    ~Slot() {
      entry_->block = nullptr;
      entry_->taken = false;
    }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    void look_at(Block* block) { entry_->block = block; }

   private:
    friend class Hazards;
    struct Entry {
      std::atomic<bool> taken{false};
      std::atomic<Block*> block{nullptr};
    };
    Entry* entry_ = nullptr;
  };

  bool has(const Block* block) const {
    return std::any_of(entries_.begin(), entries_.end(), [block](const auto& entry) { return entry.block == block; });
  }

 private:
  std::array<Slot::Entry, 16> entries_;
};

// A stack from which no block is taken that came back while a thread looked at it: push waits until none does.
class Stack {
 public:
  void push(Block* block) {
    while (hazards_.has(block)) std::this_thread::yield();
    Block* top = top_;
    do {
      block->next = top;
    } while (!top_.compare_exchange_weak(top, block));
  }
  Block* pop() {
    Hazards::Slot slot(hazards_);
    for (Block* top = top_; top != nullptr;) {
      slot.look_at(top);
      Block* const again = top_;
      if (again != top) {
        top = again;
      } else if (top_.compare_exchange_strong(top, top->next)) {
        return top;
      }
    }
    return nullptr;
  }

 private:
  std::atomic<Block*> top_{nullptr};
  Hazards hazards_;
};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) {}

  void add(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab.blocks = std::make_unique<Block[]>(count);
    slab.count = count;
    ++slab_count;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) free.push(&slab.blocks[i]);
  }

  Block* find(const OverlappedEx* op) const {
    const auto address = reinterpret_cast<std::uintptr_t>(op);
    for (std::size_t i = 0; i < slab_count; ++i) {
      const std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(slabs[i].blocks.get());
      if (offset < slabs[i].count * sizeof(Block)) return offset % sizeof(Block) == 0 ? &slabs[i].blocks[offset / sizeof(Block)] : nullptr;
    }
    return nullptr;
  }

  struct Slab {
    std::unique_ptr<Block[]> blocks;
    std::size_t count = 0;
  };
  const PoolPolicy policy;
  Stack free;
  std::mutex growing;
  std::array<Slab, 48> slabs;  // each is complete before slab_count counts it
  std::atomic<std::size_t> slab_count{0}, capacity{0}, in_use{0}, high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->add(blocks > 0 ? blocks : 1);
}

OperationPool::~OperationPool() {
  if (const std::size_t out = state_->in_use; out != 0) {
    std::fprintf(stderr, "%zu operations are out at the end of their pool, which does not free them\n", out);
    [[maybe_unused]] State* const left = state_.release();
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Block* block = state_->free.pop();
  while (block == nullptr) {
    if (state_->policy == PoolPolicy::bounded) {
      ++state_->exhausted;
      return nullptr;
    }
    std::lock_guard lock(state_->growing);
    block = state_->free.pop();
    if (block == nullptr) state_->add(state_->capacity);
  }
  const std::size_t now = ++state_->in_use;
  for (std::size_t most = state_->high_water; most < now && !state_->high_water.compare_exchange_weak(most, now);) {
  }
  ++state_->acquired;
  block->op.overlapped = {};
  block->op.kind = kind;
  block->op.wsabuf = {static_cast<ULONG>(kBufferSize), block->op.buffer};
  block->out = true;
  return &block->op;
}

bool OperationPool::release(OverlappedEx* op) {
  Block* const block = state_->find(op);
  bool out = true;
  if (block == nullptr || !block->out.compare_exchange_strong(out, false)) {
    ++state_->bad_releases;
    return false;
  }
  const std::shared_ptr<Connection> connection = std::move(block->op.connection);
  --state_->in_use;
  state_->free.push(block);
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats now;
  now.high_water = state_->high_water;
  now.capacity = state_->capacity;
  now.in_use = state_->in_use;
  now.acquired = state_->acquired;
  now.exhausted = state_->exhausted;
  now.bad_releases = state_->bad_releases;
  return now;
}

}  // namespace lab
