// Lab 6: you write this file. pool.h says what the class must do; README.md leads you through the steps.
#include "pool.h"

#include "not_started.h"

namespace lab {

// TODO 1: the state of the pool. You need its operations, which of them are free, the statistics, and something that
// protects them.
struct OperationPool::State {};

// TODO 2: create the operations, and free them at the end.
OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) { not_started("lab06 TODO 2", blocks, policy); }

OperationPool::~OperationPool() = default;

// TODO 3: acquire an operation.
OverlappedEx* OperationPool::acquire(OpKind kind) { not_started("lab06 TODO 3", kind); }

// TODO 4: release an operation, and detect bad releases.
bool OperationPool::release(OverlappedEx* op) { not_started("lab06 TODO 4", op); }

// TODO 5: the statistics.
std::size_t OperationPool::in_use() const { not_started("lab06 TODO 5"); }

PoolStats OperationPool::stats() const { not_started("lab06 TODO 5"); }

}  // namespace lab
