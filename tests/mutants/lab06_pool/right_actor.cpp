// Right: an actor, the pool's own thread, keeps the free operations; acquire and release wait for its answer.
#include "pool.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lab {

namespace {

struct Request {
  enum class What { acquire, release, figures } what;
  OverlappedEx* op = nullptr;                // what is released, or was acquired
  std::shared_ptr<Connection> connection{};  // of the operation that was released
  bool accepted = false;
  PoolStats stats{};
  Request* next = nullptr;
  bool answered = false;
  std::condition_variable done{};  // for the caller
};

}  // namespace

struct OperationPool::State {
  State(std::size_t blocks, PoolPolicy p) : policy(p) { make(blocks); }

  // The requests are on their callers' stacks, in a list: no call takes memory.
  void ask(Request& request) {
    std::unique_lock lock(mutex);
    (first == nullptr ? first : last->next) = &request;
    last = &request;
    came.notify_one();
    request.done.wait(lock, [&] { return request.answered; });
  }

  void live(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (came.wait(lock, stop, [this] { return first != nullptr; })) {
      Request& request = *std::exchange(first, first->next);
      lock.unlock();
      answer(request);
      lock.lock();
      request.answered = true;
      request.done.notify_one();  // under the lock: the request is on the caller's stack
    }
  }

  void answer(Request& request) {
    switch (request.what) {
      case Request::What::acquire: request.op = give(); break;
      case Request::What::release: request.accepted = take_back(request); break;
      case Request::What::figures: request.stats = stats;
    }
  }

  void make(std::size_t count) {
    slabs.push_back(std::make_unique<OverlappedEx[]>(count));
    OverlappedEx* const slab = slabs.back().get();
    free.reserve(stats.capacity + count);
    is_out.reserve(stats.capacity + count);
    for (std::size_t i = 0; i < count; ++i) {
      free.push_back(&slab[i]);
      is_out.emplace(&slab[i], false);
    }
    stats.capacity += count;
  }

  OverlappedEx* give() {
    if (free.empty() && policy == PoolPolicy::growing) {
      try {
        make(stats.capacity);
      } catch (const std::bad_alloc&) {
        return nullptr;
      }
    }
    if (free.empty()) {
      ++stats.exhausted;
      return nullptr;
    }
    OverlappedEx* const op = free.back();
    free.pop_back();
    is_out[op] = true;
    ++stats.acquired;
    stats.high_water = std::max(stats.high_water, ++stats.in_use);
    return op;
  }

  bool take_back(Request& request) {
    const auto found = is_out.find(request.op);
    if (found == is_out.end() || !found->second) {
      ++stats.bad_releases;
      return false;
    }
    found->second = false;
    request.connection = std::move(request.op->connection);
    free.push_back(request.op);
    --stats.in_use;
    return true;
  }

  std::mutex mutex;  // protects the list of requests
  std::condition_variable_any came;  // for the actor
  Request* first = nullptr;
  Request* last = nullptr;
  // The others are used by the actor only.
  const PoolPolicy policy;
  PoolStats stats;
  std::vector<std::unique_ptr<OverlappedEx[]>> slabs;
  std::vector<OverlappedEx*> free;
  std::unordered_map<const OverlappedEx*, bool> is_out;
  std::jthread actor{[this](std::stop_token stop) { live(stop); }};  // last: it uses the others
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy)
    : state_(std::make_unique<State>(blocks == 0 ? 1 : blocks, policy)) {}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "%zu operations are still out; the pool leaves its memory to them\n", out);
  state_->actor.request_stop();
  state_->actor.join();
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  Request request{Request::What::acquire};
  state_->ask(request);
  if (request.op != nullptr) {
    request.op->overlapped = OVERLAPPED{};
    request.op->kind = kind;
    request.op->wsabuf = {static_cast<ULONG>(kBufferSize), request.op->buffer};
  }
  return request.op;
}

bool OperationPool::release(OverlappedEx* op) {
  Request request{Request::What::release, op};
  state_->ask(request);
  return request.accepted;  // the connection ends on this thread
}

std::size_t OperationPool::in_use() const { return stats().in_use; }

PoolStats OperationPool::stats() const {
  Request request{Request::What::figures};
  state_->ask(request);
  return request.stats;
}

}  // namespace lab
