#include "operation.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

namespace win32_linux {
namespace {

constexpr unsigned kKeep = 64;   // number of operations that a thread keeps for itself

// Operations are allocated by one thread and recycled by another. A thread moves its surplus to the shared list.
std::mutex shared_mutex;         // guards shared_list
Operation* shared_list = nullptr;

struct Cache {
  Operation* list = nullptr;
  unsigned size = 0;

  ~Cache() { share(size); }

  void share(unsigned n) {
    const std::lock_guard lock(shared_mutex);
    for (; n > 0; --n, --size) {
      Operation* operation = std::exchange(list, list->next);
      operation->next = std::exchange(shared_list, operation);
    }
  }

  void refill() {
    const std::lock_guard lock(shared_mutex);
    for (; shared_list && size < kKeep / 2; ++size) {
      Operation* operation = std::exchange(shared_list, shared_list->next);
      operation->next = std::exchange(list, operation);
    }
  }
};
thread_local Cache cache;

}  // namespace

void* Operation::operator new(std::size_t size) {
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

Operation* Operation::make() {
  Cache& mine = cache;
  if (!mine.list) mine.refill();
  if (!mine.list) return new Operation;
  --mine.size;
  Operation* operation = std::exchange(mine.list, mine.list->next);
  operation->overlapped = nullptr;
  operation->bytes = 0;
  operation->error = 0;
  operation->status = Status::kPending;
  operation->peek = false;
  operation->first = operation->count = 0;
  return operation;
}

void Operation::recycle(Operation* operation) {
  operation->drop_buffers();
  Cache& mine = cache;
  operation->next = std::exchange(mine.list, operation);
  if (++mine.size > kKeep) mine.share(kKeep / 2);
}

void Operation::set_buffers(const WSABUF* from, DWORD n) {
  if (n > kInlineBuffers) buffers = new WSABUF[n];
  std::copy(from, from + n, buffers);
  first = 0;
  count = n;
}

void Operation::drop_buffers() {
  if (buffers != few) delete[] std::exchange(buffers, few);
}

bool Operation::advance(std::size_t n) {
  for (; first < count && n >= buffers[first].len; ++first) n -= buffers[first].len;
  if (first == count) return true;
  buffers[first].buf += n;
  buffers[first].len -= static_cast<ULONG>(n);
  return false;
}

}  // namespace win32_linux
