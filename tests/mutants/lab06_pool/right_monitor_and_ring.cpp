// Right: a monitor class; each operation is allocated alone; the free ones are a ring (first in, first out) of indexes.
#include "pool.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace lab {
namespace {

// All its functions take the lock by themselves, and none calls another one.
class Monitor {
 public:
  OverlappedEx* get(bool count_null) {
    std::scoped_lock lock(mutex_);
    if (free_ == 0) {
      if (count_null) ++figures_.exhausted;
      return nullptr;
    }
    const std::size_t index = ring_[head_];
    head_ = (head_ + 1) % ring_.size();
    --free_;
    out_[index] = true;
    ++figures_.acquired;
    figures_.in_use = ring_.size() - free_;
    figures_.high_water = std::max(figures_.high_water, figures_.in_use);
    return all_[index].get();
  }
  bool put(OverlappedEx* op, std::shared_ptr<Connection>& connection) {
    std::scoped_lock lock(mutex_);
    const auto found = index_of_.find(op);
    if (found == index_of_.end() || !out_[found->second]) {
      ++figures_.bad_releases;
      return false;
    }
    out_[found->second] = false;
    connection.swap(op->connection);
    ring_[(head_ + free_) % ring_.size()] = found->second;
    ++free_;
    figures_.in_use = ring_.size() - free_;
    return true;
  }
  void add(std::size_t count) {
    std::vector<std::unique_ptr<OverlappedEx>> fresh;
    std::unordered_map<OverlappedEx*, std::size_t> indexes;
    const std::size_t before = figures().capacity;  // one thread adds at a time
    fresh.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      fresh.push_back(std::make_unique<OverlappedEx>());
      indexes.emplace(fresh.back().get(), before + i);
    }
    std::vector<std::unique_ptr<OverlappedEx>> all;
    all.reserve(before + count);
    std::vector<std::size_t> ring(before + count);
    std::vector<bool> out(before + count);
    std::scoped_lock lock(mutex_);
    index_of_.reserve(before + count);
    index_of_.merge(indexes);
    std::move(all_.begin(), all_.end(), std::back_inserter(all));
    std::move(fresh.begin(), fresh.end(), std::back_inserter(all));
    std::copy(out_.begin(), out_.end(), out.begin());
    for (std::size_t i = 0; i < free_; ++i) ring[i] = ring_[(head_ + i) % ring_.size()];
    for (std::size_t i = 0; i < count; ++i) ring[free_ + i] = before + i;
    all_.swap(all);
    out_.swap(out);
    ring_.swap(ring);
    head_ = 0;
    free_ += count;
    figures_.capacity = before + count;
  }
  PoolStats figures() {
    std::scoped_lock lock(mutex_);
    return figures_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<OverlappedEx>> all_;
  std::unordered_map<OverlappedEx*, std::size_t> index_of_;
  std::vector<bool> out_;
  std::vector<std::size_t> ring_;
  std::size_t head_ = 0, free_ = 0;
  PoolStats figures_;
};

}  // namespace

struct OperationPool::State {
  PoolPolicy policy;
  Monitor monitor;
  std::mutex growing;
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->monitor.add(blocks != 0 ? blocks : 1);
}

OperationPool::~OperationPool() {
  if (in_use() == 0) return;
  std::cerr << "a pool ends, but " << in_use() << " of its operations are out\n";
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  const bool bounded = state_->policy == PoolPolicy::bounded;
  OverlappedEx* op = state_->monitor.get(bounded);
  if (op == nullptr) {
    if (bounded) return nullptr;
    std::unique_lock lock(state_->growing);
    while ((op = state_->monitor.get(false)) == nullptr) state_->monitor.add(state_->monitor.figures().capacity);
  }
  op->overlapped = OVERLAPPED();
  op->kind = kind;
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = sizeof op->buffer;
  return op;
}

bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;
  return state_->monitor.put(op, connection);
}

std::size_t OperationPool::in_use() const { return state_->monitor.figures().in_use; }

PoolStats OperationPool::stats() const { return state_->monitor.figures(); }

}  // namespace lab
