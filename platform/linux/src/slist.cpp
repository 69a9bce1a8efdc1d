// Interlocked lists under a one-word lock in the header.
//
// A lock-free pop must read `first->Next` while another thread may already own `first` and write its own data there.
// The lock makes that read safe, and prevents the ABA problem: nothing can be popped and pushed back between the read
// of the first entry and the change of the head.
#include <atomic>
#include <thread>

#include "windows.h"

namespace {

class Locked {
 public:
  explicit Locked(PSLIST_HEADER list) : lock_(list->Lock) {
    for (int spins = 0; lock_.exchange(1, std::memory_order_acquire) != 0; ++spins) {
      if (spins > 16) std::this_thread::yield();   // the thread that holds the lock may have been descheduled
    }
  }
  ~Locked() { lock_.store(0, std::memory_order_release); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  std::atomic_ref<int> lock_;
};

}  // namespace

void InitializeSListHead(PSLIST_HEADER list) { *list = {}; }

PSLIST_ENTRY InterlockedPushEntrySList(PSLIST_HEADER list, PSLIST_ENTRY entry) {
  const Locked lock(list);
  PSLIST_ENTRY before = list->First;
  entry->Next = before;
  list->First = entry;
  ++list->Depth;
  return before;
}

PSLIST_ENTRY InterlockedPopEntrySList(PSLIST_HEADER list) {
  const Locked lock(list);
  PSLIST_ENTRY first = list->First;
  if (!first) return nullptr;
  list->First = first->Next;
  --list->Depth;
  return first;
}

PSLIST_ENTRY InterlockedFlushSList(PSLIST_HEADER list) {
  const Locked lock(list);
  PSLIST_ENTRY first = list->First;
  list->First = nullptr;
  list->Depth = 0;
  return first;
}

USHORT QueryDepthSList(PSLIST_HEADER list) {
  const Locked lock(list);
  return list->Depth;
}
