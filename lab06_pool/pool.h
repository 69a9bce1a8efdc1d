// Lab 6: one shared pool of operations, each with its buffer. (Notes N10, N11)
//
// You write pool.cpp. The class below is its contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "overlapped_ex.h"

namespace lab {

enum class PoolPolicy {
  bounded,  // there are `blocks` operations and never more; acquire returns null when all are acquired
  growing,  // when all are acquired, the pool creates as many again as it has
};

struct PoolStats {
  std::size_t capacity = 0;        // operations that the pool has created, free and acquired
  std::size_t in_use = 0;          // operations that are acquired
  std::size_t high_water = 0;      // the most that were ever acquired at once; may be too high, up to `capacity`, when
                                   // several threads work at once, and is never too low
  std::uint64_t acquired = 0;      // how often acquire returned an operation
  std::uint64_t exhausted = 0;     // how often acquire returned null
  std::uint64_t bad_releases = 0;  // how often release refused: released twice, or not of this pool
};

// A pool of OverlappedEx objects. It replaces HeapOperations, and nothing else in the server changes.
//
// All operations are created with the pool (and when it grows), not when they are acquired: after the server has warmed
// up, no packet costs a `new` (N10).
//
// Ownership: the pool owns its operations, free and acquired. A posted operation belongs to the system, so it must be
// released before the pool is destroyed.
//
// Threads: any thread may call any function at any time; an operation that one thread acquired may be released by
// another. How to protect the free operations is your choice: define `struct OperationPool::State` in pool.cpp. A
// thread that the pool starts ends with the pool at the latest. Do three things outside any lock that every acquire or
// release acquires: creating operations, releasing a connection (its destructor closes a socket), and system calls.
class OperationPool : public OperationSource {
 public:
  // Creates `blocks` operations; 0 creates one. Throws std::bad_alloc if there is no memory for them, or
  // std::length_error if there cannot be so many; it has then released everything that it acquired.
  OperationPool(std::size_t blocks, PoolPolicy policy);

  // REQUIRES: in_use() == 0. If not, the pool prints on stderr how many are acquired and does not free them, because
  // the system may still write into them.
  ~OperationPool() override;

  // Returns an operation as OperationSource specifies: kind set, `overlapped` zero, `wsabuf` the whole buffer, no
  // connection. Nothing of its last use remains except the bytes in its buffer. Returns null if the pool is bounded and
  // all are acquired. If a growing pool gets no memory, it throws std::bad_alloc or returns null; it stays usable.
  OverlappedEx* acquire(OpKind kind) override;

  // Takes it back and releases its connection. Returns false, counts it in `bad_releases`, and changes nothing else if
  // `op` is null, is already free (released twice), or was never this pool's.
  bool release(OverlappedEx* op) override;

  std::size_t in_use() const override;

  // Returns the current statistics. Each is correct by itself; while other threads run, they may be from slightly
  // different moments.
  PoolStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab
