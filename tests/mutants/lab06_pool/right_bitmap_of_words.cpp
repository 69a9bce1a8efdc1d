// Right: a bit for each block says that it is free; a counter of what came back tells whether a search must begin anew.
#include "pool.h"

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <mutex>

namespace lab {
namespace {

struct Chunk {
  Chunk* next = nullptr;  // written before anybody can find it
  std::size_t size;
  std::unique_ptr<OverlappedEx[]> blocks;
  std::unique_ptr<std::atomic<std::uint64_t>[]> free;  // a bit for each

  explicit Chunk(std::size_t n)
      : size(n), blocks(new OverlappedEx[n]), free(new std::atomic<std::uint64_t>[n / 64 + 1]) {
    for (std::size_t w = 0; w < n / 64 + 1; ++w) {
      free[w] = w < n / 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n % 64) - 1;
    }
  }
  OverlappedEx* take() {
    for (std::size_t w = 0; w < size / 64 + 1; ++w) {
      std::uint64_t bits = free[w];
      while (bits != 0) {
        const int bit = std::countr_zero(bits);
        if (free[w].compare_exchange_weak(bits, bits & ~(std::uint64_t{1} << bit))) return &blocks[w * 64 + static_cast<std::size_t>(bit)];
      }
    }
    return nullptr;
  }
};

}  // namespace

struct OperationPool::State {
  PoolPolicy policy;
  std::atomic<Chunk*> chunks{nullptr};
  std::mutex growing;
  std::mutex claims;
  std::atomic<std::uint64_t> returns{0};
  std::atomic<std::size_t> capacity{0}, out{0}, most{0};
  std::atomic<std::uint64_t> given{0}, nulls{0}, refused{0};

  explicit State(PoolPolicy p) : policy(p) {}
  ~State() {
    for (Chunk* chunk = chunks; chunk != nullptr;) {
      Chunk* const next = chunk->next;
      delete chunk;
      chunk = next;
    }
  }
  void grow(std::size_t n) {
    Chunk* const chunk = new Chunk(n);
    chunk->next = chunks;
    capacity += n;
    chunks = chunk;
    ++returns;
  }
  OverlappedEx* take() {
    for (;;) {
      const std::uint64_t before = returns;
      for (Chunk* chunk = chunks; chunk != nullptr; chunk = chunk->next) {
        if (OverlappedEx* const op = chunk->take()) return op;
      }
      if (returns == before) return nullptr;  // nothing came back during the search: all were out at its end
    }
  }
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(new State(policy)) {
  state_->grow(blocks == 0 ? 1 : blocks);
}

OperationPool::~OperationPool() {
  if (const std::size_t n = in_use(); n > 0) {
    std::fprintf(stderr, "at the end of the pool %zu blocks have not come back\n", n);
    (void)state_.release();
  }
}

OverlappedEx* OperationPool::acquire(OpKind kind) {
  State& s = *state_;
  OverlappedEx* op = s.take();
  if (op == nullptr && s.policy == PoolPolicy::bounded) {
    ++s.nulls;
    return nullptr;
  }
  while (op == nullptr) {
    std::lock_guard one_grows(s.growing);
    if ((op = s.take()) == nullptr) s.grow(s.capacity);
  }
  const std::size_t now = ++s.out;
  std::size_t seen = s.most;
  while (seen < now && !s.most.compare_exchange_weak(seen, now)) {
  }
  ++s.given;
  op->overlapped = {};
  op->kind = kind;
  op->wsabuf.len = static_cast<ULONG>(kBufferSize);
  op->wsabuf.buf = op->buffer;
  op->connection = nullptr;
  return op;
}

bool OperationPool::release(OverlappedEx* op) {
  State& s = *state_;
  for (Chunk* chunk = s.chunks; chunk != nullptr; chunk = chunk->next) {
    const auto distance = reinterpret_cast<std::uintptr_t>(op) - reinterpret_cast<std::uintptr_t>(chunk->blocks.get());
    if (distance >= chunk->size * sizeof(OverlappedEx) || distance % sizeof(OverlappedEx) != 0) continue;
    const std::size_t i = distance / sizeof(OverlappedEx);
    const std::uint64_t bit = std::uint64_t{1} << i % 64;
    // While it is out, its connection may be moved away only by who takes it back; so a second bit would be needed
    // to claim it. One lock for all claims is simpler.
    std::shared_ptr<Connection> connection;
    {
      std::lock_guard claim(s.claims);
      if ((chunk->free[i / 64] & bit) != 0) break;
      connection = std::move(op->connection);
      --s.out;
      chunk->free[i / 64] |= bit;
      ++s.returns;
    }
    return true;
  }
  ++s.refused;
  return false;
}

std::size_t OperationPool::in_use() const { return state_->out; }

PoolStats OperationPool::stats() const {
  const std::size_t capacity = state_->capacity;
  const std::size_t most = state_->most;
  return {capacity, state_->out, most < capacity ? most : capacity, state_->given, state_->nulls, state_->refused};
}

}  // namespace lab
