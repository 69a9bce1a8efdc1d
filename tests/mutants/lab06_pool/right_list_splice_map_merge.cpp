// Right: two std::lists, "free" and "out", and a std::map from address to place. All nodes are made at the start
// and at growth; later they are only spliced (no `new`). A growth makes its list and its map without the lock, and joins
// them with splice and map::merge, which call no `new` either. in_use and capacity are the sizes of the lists.
#include "pool.h"

#include <cstdio>
#include <list>
#include <map>
#include <mutex>
#include <utility>

namespace lab {
namespace {

struct Node : OverlappedEx {
  bool out = false;
};
using Nodes = std::list<Node>;
using Places = std::map<const OverlappedEx*, Nodes::iterator>;

}  // namespace

struct OperationPool::State {
  const PoolPolicy policy;
  std::mutex growing;
  std::mutex mutex;  // protects what follows
  Nodes free, out;
  Places places;
  PoolStats figures;  // without capacity and in_use

  explicit State(PoolPolicy p) : policy(p) {}

  template <class F>
  auto locked(F&& f) {
    std::lock_guard guard(mutex);
    return std::forward<F>(f)();
  }

  void grow(std::size_t count) {
    Nodes made(count);
    Places where;
    for (auto node = made.begin(); node != made.end(); ++node) where.emplace(&*node, node);
    locked([&] {
      free.splice(free.end(), made);
      places.merge(where);
    });
  }

  Node* take() {
    return locked([this]() -> Node* {
      if (free.empty()) return nullptr;
      out.splice(out.begin(), free, free.begin());
      if (out.size() > figures.high_water) figures.high_water = out.size();
      ++figures.acquired;
      Node& node = out.front();
      node.out = true;
      return &node;
    });
  }

  std::size_t capacity() {
    return locked([this] { return free.size() + out.size(); });
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->grow(blocks > 0 ? blocks : 1);
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "pool: %zu operations are still out, their memory stays\n", out);
  (void)state_.release();
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Node* node = state_->take();
  if (node == nullptr && state_->policy == PoolPolicy::bounded) {
    state_->locked([this] { ++state_->figures.exhausted; });
    return nullptr;
  }
  while (node == nullptr) {
    std::scoped_lock one(state_->growing);
    if ((node = state_->take()) == nullptr) state_->grow(state_->capacity());
  }
  node->overlapped = OVERLAPPED{};
  node->kind = kind;
  node->wsabuf = WSABUF{static_cast<ULONG>(sizeof node->buffer), node->buffer};
  return node;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> last;  // dies when this function ends, without the lock
  return state_->locked([&] {
    const auto found = state_->places.find(op);
    if (found == state_->places.end() || !found->second->out) {
      ++state_->figures.bad_releases;
      return false;
    }
    const Nodes::iterator node = found->second;
    node->out = false;
    last.swap(node->connection);
    state_->free.splice(state_->free.begin(), state_->out, node);
    return true;
  });
}

std::size_t OperationPool::in_use() const {
  return state_->locked([this] { return state_->out.size(); });
}

PoolStats OperationPool::stats() const {
  return state_->locked([this] {
    PoolStats now = state_->figures;
    now.in_use = state_->out.size();
    now.capacity = now.in_use + state_->free.size();
    return now;
  });
}

}  // namespace lab
