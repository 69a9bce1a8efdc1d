// Wrong: the operations lie in one vector; when it grows they move, also those that the system has.
#include "pool.h"

#include <cstdio>
#include <mutex>
#include <vector>

namespace lab {

struct OperationPool::State {
  PoolPolicy policy;
  std::mutex mutex;
  std::vector<OverlappedEx> ops;       // all operations
  std::vector<std::size_t> freeIndex;  // which of them are free
  std::vector<bool> out;
  PoolStats stats;

  void grow(std::size_t size) {
    std::size_t old = ops.size();
    ops.resize(size);
    out.resize(size, false);
    freeIndex.reserve(size);
    for (std::size_t i = old; i < size; i++) {
      freeIndex.push_back(i);
    }
    stats.capacity = size;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->grow(blocks > 0 ? blocks : 1);
}

OperationPool::~OperationPool() {
  if (state_->stats.in_use > 0) {
    std::fprintf(stderr, "%zu operations are out\n", state_->stats.in_use);
    (void)state_.release();
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  std::lock_guard<std::mutex> guard(state_->mutex);
  if (state_->freeIndex.empty()) {
    if (state_->policy == PoolPolicy::bounded) {
      state_->stats.exhausted++;
      return nullptr;
    }
    state_->grow(state_->ops.size() * 2);
  }
  std::size_t index = state_->freeIndex.back();
  state_->freeIndex.pop_back();
  state_->out[index] = true;
  state_->stats.acquired++;
  state_->stats.in_use++;
  if (state_->stats.in_use > state_->stats.high_water) {
    state_->stats.high_water = state_->stats.in_use;
  }
  OverlappedEx* op = &state_->ops[index];
  op->overlapped = OVERLAPPED{};
  op->kind = kind;
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = static_cast<ULONG>(kBufferSize);
  return op;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;
  std::lock_guard<std::mutex> guard(state_->mutex);
  std::size_t index = 0;
  while (index < state_->ops.size() && &state_->ops[index] != op) {
    index++;
  }
  if (index == state_->ops.size() || !state_->out[index]) {
    state_->stats.bad_releases++;
    return false;
  }
  state_->out[index] = false;
  connection = std::move(op->connection);
  state_->freeIndex.push_back(index);
  state_->stats.in_use--;
  return true;
}

std::size_t OperationPool::in_use() const {
  std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->stats.in_use;
}

PoolStats OperationPool::stats() const {
  std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->stats;
}

}  // namespace lab
