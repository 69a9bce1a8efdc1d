// Lab 06: one shared pool of operations, each with its buffer. (Notes N10, N11)
//
// You write pool.cpp. The class below is its contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "overlapped_ex.h"

namespace lab {

enum class PoolPolicy {
  bounded,  // there are `blocks` operations and never more; acquire returns null when all are out
  growing,  // when all are out, the pool makes as many again as it has
};

struct PoolStats {
  std::size_t capacity = 0;        // operations that the pool has made: free ones and those that are out
  std::size_t in_use = 0;          // operations that are out
  std::size_t high_water = 0;      // the most that were ever out at once; it may be too high, up to `capacity`, when
                                   // several threads work at once, and is never too low
  std::uint64_t acquired = 0;      // how often acquire gave one
  std::uint64_t exhausted = 0;     // how often acquire returned null
  std::uint64_t bad_releases = 0;  // how often release refused: released twice, or not ours
};

// A pool of OverlappedEx objects. It takes the place of HeapOperations, and nothing else in the server changes.
//
// All operations are made when the pool is made (and when it grows), not when they are acquired: after the server has
// warmed up, no packet costs a `new` (N10).
//
// Ownership: the pool owns its operations, the free ones and those that are out. A posted operation is the system's, so
// it must be released before the pool goes.
//
// Threads: any thread may call any function at any time; an operation that one thread acquired may be released by
// another. What protects the free operations is your choice; `State` is yours: define `struct OperationPool::State` in
// pool.cpp. A thread that the pool starts ends with the pool at the latest. Keep three things out of any lock that every
// acquire or release takes: making operations, releasing a connection (its destructor closes a socket), and calls into
// the system.
class OperationPool : public OperationSource {
 public:
  // Makes `blocks` operations; 0 makes one. Throws std::bad_alloc when there is no memory for them, or std::length_error
  // when there cannot be so many; nothing is left behind then.
  OperationPool(std::size_t blocks, PoolPolicy policy);

  // REQUIRES: in_use() == 0. If not, the pool says on stderr how many are out and does not free them, because the
  // system may still write into them.
  ~OperationPool() override;

  // An operation as OperationSource promises it: kind set, `overlapped` zero, `wsabuf` the whole buffer, no connection.
  // Nothing of its last use is left but the bytes in its buffer. Null when the pool is bounded and all are out.
  // When a growing pool gets no memory, it throws std::bad_alloc or returns null; it can be used as before.
  OverlappedEx* acquire(OpKind kind) override;

  // Takes it back and lets go of its connection. Returns false, counts it in `bad_releases`, and changes nothing when
  // `op` is null, is free already (released twice), or was never this pool's.
  bool release(OverlappedEx* op) override;

  std::size_t in_use() const override;

  // The figures of now. Each is right by itself; while other threads work, they may be of slightly different moments.
  PoolStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab
