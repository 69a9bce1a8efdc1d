// Right: one mutex, a vector of free operations, a map from the address; the new ones are made under a second mutex.
#include "pool.h"

#include <cstdio>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace lab {

// TODO 1: what the pool needs.
struct OperationPool::State {
  PoolPolicy policy = PoolPolicy::bounded;
  std::mutex poolMutex;    // protects everything below
  std::mutex growMutex;    // only one thread makes new operations at a time
  std::vector<std::unique_ptr<OverlappedEx>> allOps;
  std::vector<OverlappedEx*> freeOps;
  std::unordered_map<OverlappedEx*, bool> isOut;  // has every op of ours
  PoolStats stats;

  // Make new operations. The `new` is done without the mutex.
  void makeMore(std::size_t howMany) {
    std::vector<std::unique_ptr<OverlappedEx>> newOps;
    for (std::size_t i = 0; i < howMany; i++) {
      newOps.push_back(std::unique_ptr<OverlappedEx>(new OverlappedEx));
    }
    std::unordered_map<OverlappedEx*, bool> newOnesAreOut;
    for (std::size_t i = 0; i < howMany; i++) {
      newOnesAreOut[newOps[i].get()] = false;
    }
    std::lock_guard<std::mutex> guard(poolMutex);
    allOps.reserve(allOps.size() + howMany);
    freeOps.reserve(allOps.size() + howMany);
    isOut.reserve(allOps.size() + howMany);
    // from here on nothing needs memory, so nothing is half done
    isOut.merge(newOnesAreOut);
    for (std::size_t i = 0; i < howMany; i++) {
      freeOps.push_back(newOps[i].get());
      allOps.push_back(std::move(newOps[i]));
    }
    stats.capacity += howMany;
  }
};

// TODO 2
OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(new State) {
  state_->policy = policy;
  if (blocks == 0) {
    blocks = 1;
  }
  state_->makeMore(blocks);
}

OperationPool::~OperationPool() {
  std::size_t stillOut = in_use();
  if (stillOut > 0) {
    std::fprintf(stderr, "pool: %zu operations are still out, I do not free them\n", stillOut);
    (void)state_.release();
  }
}

// TODO 3
OverlappedEx* OperationPool::acquire(OpKind kind) {
  OverlappedEx* op = nullptr;
  while (op == nullptr) {
    std::size_t capacity = 0;
    {
      std::lock_guard<std::mutex> guard(state_->poolMutex);
      if (!state_->freeOps.empty()) {
        op = state_->freeOps.back();
        state_->freeOps.pop_back();
        state_->isOut.find(op)->second = true;
        state_->stats.acquired++;
        state_->stats.in_use++;
        if (state_->stats.in_use > state_->stats.high_water) {
          state_->stats.high_water = state_->stats.in_use;
        }
      } else if (state_->policy == PoolPolicy::bounded) {
        state_->stats.exhausted++;
        return nullptr;
      } else {
        capacity = state_->stats.capacity;
      }
    }
    if (op == nullptr) {
      std::lock_guard<std::mutex> growing(state_->growMutex);
      bool somebodyElseDidIt = false;
      {
        std::lock_guard<std::mutex> guard(state_->poolMutex);
        somebodyElseDidIt = !state_->freeOps.empty() || state_->stats.capacity != capacity;
      }
      if (!somebodyElseDidIt) {
        state_->makeMore(capacity);
      }
    }
  }
  // make it like new
  op->overlapped = OVERLAPPED{};
  op->kind = kind;
  op->wsabuf.buf = op->buffer;
  op->wsabuf.len = static_cast<ULONG>(kBufferSize);
  return op;
}

// TODO 4
bool OperationPool::release(OverlappedEx* op) {
  std::shared_ptr<Connection> connection;  // it ends after the lock
  std::lock_guard<std::mutex> guard(state_->poolMutex);
  auto it = state_->isOut.find(op);
  if (it == state_->isOut.end() || it->second == false) {
    state_->stats.bad_releases++;
    return false;
  }
  it->second = false;
  connection = std::move(op->connection);
  state_->freeOps.push_back(op);
  state_->stats.in_use--;
  return true;
}

// TODO 5
std::size_t OperationPool::in_use() const {
  std::lock_guard<std::mutex> guard(state_->poolMutex);
  return state_->stats.in_use;
}

PoolStats OperationPool::stats() const {
  std::lock_guard<std::mutex> guard(state_->poolMutex);
  return state_->stats;
}

}  // namespace lab
