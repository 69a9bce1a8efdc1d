// Right: portions are std::deque; a sorted map of addresses, built outside of the lock, leads to an atomic flag for each.
#include "pool.h"

#include <atomic>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace lab {
namespace {

struct Node {
  OverlappedEx op;
  std::atomic_flag out = ATOMIC_FLAG_INIT;
};

using Portion = std::deque<Node>;  // its elements never move, not even when the deque itself does
using Index = std::map<const OverlappedEx*, Node*, std::less<>>;

}  // namespace

struct OperationPool::State {
  const PoolPolicy policy;
  std::mutex growing;
  mutable std::shared_mutex index_mutex;  // readers: release; the writer only swaps pointers
  std::shared_ptr<const Index> index = std::make_shared<Index>();
  std::deque<Portion> portions;           // protected by `growing`
  mutable std::mutex mutex;               // protects what follows
  std::vector<Node*> free;
  PoolStats stats;

  explicit State(PoolPolicy p) : policy(p) {}

  // REQUIRES: `growing` is held, or nobody else is here yet.
  void grow(std::size_t count) {
    Portion portion;
    auto larger = std::make_shared<Index>(*index);
    std::vector<Node*> fresh;
    fresh.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      Node& node = portion.emplace_back();
      larger->emplace(&node.op, &node);
      fresh.push_back(&node);
    }
    std::vector<Node*> room;
    room.reserve(larger->size());  // for all there are, so push_back never calls new
    portions.push_back(std::move(portion));
    std::shared_ptr<const Index> other = std::move(larger);
    {
      std::unique_lock lock(index_mutex);
      index.swap(other);
    }
    std::lock_guard lock(mutex);
    room.assign(free.begin(), free.end());
    room.insert(room.end(), fresh.begin(), fresh.end());
    free.swap(room);
    stats.capacity += count;
  }

  Node* find(const OverlappedEx* op) const {
    std::shared_lock lock(index_mutex);
    const auto found = index->find(op);
    return found == index->end() ? nullptr : found->second;
  }

  Node* take() {
    std::lock_guard lock(mutex);
    if (free.empty()) return nullptr;
    Node* const node = free.back();
    free.pop_back();
    ++stats.acquired;
    if (++stats.in_use > stats.high_water) stats.high_water = stats.in_use;
    return node;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->grow(blocks == 0 ? 1 : blocks);
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out > 0) {
    std::fprintf(stderr, "OperationPool: %zu are out\n", out);
    static_cast<void>(state_.release());
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Node* node = state_->take();
  if (node == nullptr && state_->policy == PoolPolicy::bounded) {
    std::lock_guard lock(state_->mutex);
    ++state_->stats.exhausted;
    return nullptr;
  }
  while (node == nullptr) {
    std::lock_guard lock(state_->growing);
    if ((node = state_->take()) == nullptr) state_->grow(stats().capacity);
  }
  node->out.test_and_set();
  OverlappedEx& op = node->op;
  op.overlapped = OVERLAPPED{};
  op.kind = kind;
  op.wsabuf = WSABUF{static_cast<ULONG>(kBufferSize), op.buffer};
  return &op;
}

bool OperationPool::release(OverlappedEx* op) {
  Node* const node = state_->find(op);
  // To look at a flag and to clear it are two steps, so both happen under the lock that everybody takes who releases.
  std::shared_ptr<Connection> connection;
  std::lock_guard lock(state_->mutex);
  if (node == nullptr || !node->out.test()) {
    ++state_->stats.bad_releases;
    return false;
  }
  node->out.clear();
  connection.swap(node->op.connection);
  --state_->stats.in_use;
  state_->free.push_back(node);
  return true;
}

std::size_t OperationPool::in_use() const { return stats().in_use; }

PoolStats OperationPool::stats() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace lab
