// Wrong: a full magazine is emptied with its lock held, then the depot's; acquire takes them the other way round.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace lab {
namespace {

constexpr std::size_t kRounds = 8;  // the most that a magazine holds

struct Shell : OverlappedEx {
  std::atomic<bool> out{false};
};

struct Magazine {
  std::mutex mutex;  // protects what follows: nearly always its own thread's
  Shell* rounds[kRounds];
  std::size_t count = 0;
};

std::atomic<std::uint64_t> pools{0};

}  // namespace

struct OperationPool::State {
  explicit State(PoolPolicy p) : policy(p) {}

  const PoolPolicy policy;
  const std::uint64_t id = ++pools;  // never used again, unlike an address
  std::mutex growing;
  std::mutex mutex;  // protects what follows; taken before a magazine's
  std::vector<std::unique_ptr<Shell[]>> portions;
  std::vector<std::size_t> sizes;
  std::vector<Shell*> depot;
  std::vector<std::shared_ptr<Magazine>> magazines;  // of all threads; those of ended ones go when a new one comes
  std::size_t capacity = 0;
  std::atomic<std::size_t> in_use{0}, high_water{0};
  std::atomic<std::uint64_t> acquired{0}, exhausted{0}, bad_releases{0};

  // This thread's magazine. The pool keeps one too, so it outlives the thread; the thread forgets those of ended pools.
  Magazine& mine() {
    static thread_local std::unordered_map<std::uint64_t, std::shared_ptr<Magazine>> all;
    auto& magazine = all[id];
    if (magazine == nullptr) {
      std::erase_if(all, [](const auto& one) { return one.second != nullptr && one.second.use_count() == 1; });
      auto made = std::make_shared<Magazine>();
      std::lock_guard lock(mutex);
      std::erase_if(magazines, [this](const auto& one) {
        if (one.use_count() > 1) return false;  // of a thread that has not ended
        std::lock_guard its(one->mutex);
        depot.insert(depot.end(), one->rounds, one->rounds + one->count);
        return true;
      });
      magazines.push_back(made);
      all[id] = made;
      return *made;
    }
    return *magazine;
  }
  Shell* take(Magazine& magazine) {
    {
      std::lock_guard lock(magazine.mutex);
      if (magazine.count > 0) return count(magazine.rounds[--magazine.count]);
    }
    std::lock_guard lock(mutex);
    if (!depot.empty()) {
      Shell* const shell = depot.back();
      depot.pop_back();
      return count(shell);
    }
    // All magazines are locked before the first one is looked into, so nothing comes back behind us.
    for (const auto& other : magazines) other->mutex.lock();
    Shell* found = nullptr;
    for (const auto& other : magazines) {
      if (other->count > 0) {
        found = count(other->rounds[--other->count]);
        break;
      }
    }
    for (const auto& other : magazines) other->mutex.unlock();
    return found;
  }
  Shell* count(Shell* shell) {
    const std::size_t now = ++in_use;
    for (std::size_t seen = high_water; seen < now && !high_water.compare_exchange_weak(seen, now);) {
    }
    ++acquired;
    return shell;
  }
  void grow(std::size_t more) {
    std::unique_ptr<Shell[]> portion(new Shell[more]);
    std::lock_guard lock(mutex);
    depot.reserve(capacity + more);
    portions.reserve(portions.size() + 1);
    sizes.push_back(more);
    for (std::size_t i = 0; i < more; ++i) depot.push_back(&portion[i]);
    portions.push_back(std::move(portion));
    capacity += more;
  }
  Shell* find(OverlappedEx* op) {
    std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < portions.size(); ++i) {
      const auto distance = reinterpret_cast<std::uintptr_t>(op) - reinterpret_cast<std::uintptr_t>(portions[i].get());
      if (distance < sizes[i] * sizeof(Shell) && distance % sizeof(Shell) == 0) return static_cast<Shell*>(op);
    }
    return nullptr;
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(std::make_unique<State>(policy)) {
  state_->grow(std::max<std::size_t>(blocks, 1));
}

OperationPool::~OperationPool() {
  const std::size_t out = in_use();
  if (out == 0) return;
  std::fprintf(stderr, "pool: %zu are out\n", out);
  static_cast<void>(state_.release());
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& s = *state_;
  Magazine& magazine = s.mine();
  Shell* shell = s.take(magazine);
  while (shell == nullptr) {
    if (s.policy == PoolPolicy::bounded) {
      ++s.exhausted;
      return nullptr;
    }
    std::lock_guard lock(s.growing);
    shell = s.take(magazine);
    if (shell == nullptr) s.grow(s.capacity);
  }
  shell->overlapped = OVERLAPPED{};
  shell->kind = kind;
  shell->wsabuf = {static_cast<ULONG>(kBufferSize), shell->buffer};
  shell->out = true;
  return shell;
}

bool OperationPool::release(OverlappedEx* op) {
  State& s = *state_;
  Shell* const shell = s.find(op);
  if (shell == nullptr || !shell->out.exchange(false)) {
    ++s.bad_releases;
    return false;
  }
  const auto connection = std::move(shell->connection);  // goes last
  Magazine& magazine = s.mine();
  {
    std::lock_guard lock(magazine.mutex);
    if (magazine.count < kRounds) {
      magazine.rounds[magazine.count++] = shell;
      --s.in_use;
      return true;
    }
  }
  std::lock_guard again(magazine.mutex);
  std::lock_guard lock(s.mutex);
  s.depot.push_back(shell);
  --s.in_use;
  return true;
}

std::size_t OperationPool::in_use() const { return state_->in_use; }

PoolStats OperationPool::stats() const {
  PoolStats stats;
  {
    std::lock_guard lock(state_->mutex);
    stats.capacity = state_->capacity;
  }
  stats.in_use = state_->in_use;
  stats.high_water = std::min<std::size_t>(state_->high_water, stats.capacity);
  stats.acquired = state_->acquired;
  stats.exhausted = state_->exhausted;
  stats.bad_releases = state_->bad_releases;
  return stats;
}

}  // namespace lab
