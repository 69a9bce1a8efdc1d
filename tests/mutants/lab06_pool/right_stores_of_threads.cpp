// Right: a store for each thread that others may empty; a count of the free ones is taken first, so who has counted one finds one.
#include "pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace lab {
namespace {

struct Item : OverlappedEx {
  Item* below = nullptr;         // in its store
  std::atomic<bool> out{false};
};

struct alignas(64) Store {
  std::mutex mutex;  // protects `top`
  Item* top = nullptr;

  void push(Item* item) {
    std::lock_guard lock(mutex);
    item->below = top;
    top = item;
  }
  Item* pop() {
    std::lock_guard lock(mutex);
    Item* const item = top;
    if (item != nullptr) top = item->below;
    return item;
  }
};

std::size_t my_number() {
  static std::atomic<std::size_t> threads{0};
  static thread_local const std::size_t number = threads++;
  return number;
}

}  // namespace

struct OperationPool::State {
  const PoolPolicy policy;
  std::array<Store, 8> stores;           // a thread begins at its own, then looks into the others
  std::atomic<std::size_t> free{0};      // never more than there are in the stores and not yet promised
  std::mutex growing;
  struct Slab {
    std::unique_ptr<Item[]> items;
    std::size_t size = 0;
  };
  std::array<Slab, 48> slabs;
  std::atomic<std::size_t> slab_count{0};
  std::atomic<std::size_t> capacity{0}, in_use{0}, high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};

  explicit State(PoolPolicy p) : policy(p) {}

  Store& store(std::size_t i) { return stores[i % stores.size()]; }

  // Takes the promise of one free item. False: there was none.
  bool promise() {
    std::size_t now = free;
    while (now > 0) {
      if (free.compare_exchange_weak(now, now - 1)) return true;
    }
    return false;
  }
  // The item that was promised. It is there; but while we look into one store it may come into another one.
  Item* take() {
    for (std::size_t i = my_number();; ++i) {
      if (Item* const item = store(i).pop()) return item;
      if (i % stores.size() == 0) std::this_thread::yield();
    }
  }
  void give(Item* item, std::size_t number) {
    store(number).push(item);
    ++free;  // after the push
  }
  void grow(std::size_t count) {
    Slab& slab = slabs[slab_count];
    slab.items.reset(new Item[count]);
    slab.size = count;
    ++slab_count;
    capacity += count;
    for (std::size_t i = 0; i < count; ++i) give(&slab.items[i], i);
  }
  Item* find(OverlappedEx* op) const {
    for (std::size_t i = 0; i < slab_count; ++i) {
      const auto distance = reinterpret_cast<std::uintptr_t>(op) - reinterpret_cast<std::uintptr_t>(&slabs[i].items[0]);
      if (distance / sizeof(Item) < slabs[i].size && distance % sizeof(Item) == 0) return static_cast<Item*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->grow(blocks > 0 ? blocks : 1);
}

OperationPool::~OperationPool() {
  if (const auto out = in_use()) {
    std::fprintf(stderr, "operations that are out at the end of the pool: %zu\n", out);
    static_cast<void>(state_.release());
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& s = *state_;
  if (!s.promise()) {
    if (s.policy == PoolPolicy::bounded) {
      ++s.exhausted;
      return nullptr;
    }
    std::lock_guard lock(s.growing);
    while (!s.promise()) s.grow(s.capacity);
  }
  Item* const item = s.take();
  const std::size_t out = ++s.in_use;
  for (std::size_t seen = s.high_water; seen < out;) {
    if (s.high_water.compare_exchange_weak(seen, out)) break;
  }
  ++s.acquired;
  item->overlapped = OVERLAPPED{};
  item->kind = kind;
  item->wsabuf = {static_cast<ULONG>(kBufferSize), item->buffer};
  item->out = true;
  return item;
}

bool OperationPool::release(OverlappedEx* op) {
  Item* const item = state_->find(op);
  if (item == nullptr || !item->out.exchange(false)) {
    ++state_->bad_releases;
    return false;
  }
  std::shared_ptr<Connection> connection;
  connection.swap(item->connection);
  --state_->in_use;
  state_->give(item, my_number());
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats stats{state_->capacity, state_->in_use, state_->high_water, state_->acquired, state_->exhausted,
                  state_->bad_releases};
  stats.high_water = std::min(stats.high_water, stats.capacity);
  return stats;
}

}  // namespace lab
