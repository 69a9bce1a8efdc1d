// Lab 3: you write this file. overlapped_ex.h says what each function must do; README.md leads you through the steps.
#include "overlapped_ex.h"

#include "not_started.h"

namespace lab {

// TODO 1: operations from the heap. One new, one delete, and a count.
OverlappedEx* HeapOperations::acquire(OpKind kind) { not_started("lab03 TODO 1", kind); }

bool HeapOperations::release(OverlappedEx* op) { not_started("lab03 TODO 1", op); }

// TODO 2: from the OVERLAPPED back to the operation around it.
OverlappedEx* operation_from(OVERLAPPED* overlapped) { not_started("lab03 TODO 2", overlapped); }

// TODO 3: post a receive, and post it again.
bool post_recv(OverlappedEx* op) { not_started("lab03 TODO 3", op); }

// TODO 4: a connection's first receive.
bool start_recv(OperationSource& operations, const std::shared_ptr<Connection>& connection) {
  not_started("lab03 TODO 4", operations, connection);
}

// TODO 5: a send, in a new operation.
bool post_send(OperationSource& operations, const std::shared_ptr<Connection>& connection, const char* data,
               std::size_t size) {
  not_started("lab03 TODO 5", operations, connection, data, size);
}

}  // namespace lab
