// Wrong: acquire still calls new and release still calls delete; the pool only counts.
#include "pool.h"

#include <cstdio>
#include <mutex>
#include <set>

namespace lab {

struct OperationPool::State {
  PoolPolicy policy;
  mutable std::mutex mutex;
  std::set<OverlappedEx*> out;
  PoolStats stats;
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->stats.capacity = blocks == 0 ? 1 : blocks;
}

OperationPool::~OperationPool() {
  if (state_->out.empty()) return;
  std::fprintf(stderr, "%zu operations are out\n", state_->out.size());
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  auto op = std::make_unique<OverlappedEx>();
  op->kind = kind;
  op->wsabuf = {static_cast<ULONG>(kBufferSize), op->buffer};
  std::lock_guard lock(state_->mutex);
  PoolStats& stats = state_->stats;
  if (state_->out.size() == stats.capacity) {
    if (state_->policy == PoolPolicy::bounded) {
      ++stats.exhausted;
      return nullptr;
    }
    stats.capacity *= 2;
  }
  state_->out.insert(op.get());
  ++stats.acquired;
  stats.in_use = state_->out.size();
  if (stats.high_water < stats.in_use) stats.high_water = stats.in_use;
  return op.release();
}

bool OperationPool::release(OverlappedEx* op) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->out.erase(op) == 0) {
      ++state_->stats.bad_releases;
      return false;
    }
    state_->stats.in_use = state_->out.size();
  }
  delete op;  // with its connection, without the lock
  return true;
}

std::size_t OperationPool::in_use() const {
  std::lock_guard lock(state_->mutex);
  return state_->out.size();
}

PoolStats OperationPool::stats() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace lab
