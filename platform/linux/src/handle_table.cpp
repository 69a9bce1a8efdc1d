#include "handle_table.h"

#include <mutex>
#include <new>

namespace win32_linux {
namespace {

constexpr unsigned kIndexBits = 20;
constexpr unsigned kGenerationBits = 9;
constexpr std::uint32_t kMaxSlots = 1u << kIndexBits;
constexpr std::uint32_t kChunk = 1024;

// A slot's word: references in the low half, then one bit for "closed", then the generation.
constexpr std::uint64_t kOneReference = 1;
constexpr std::uint64_t kReferences = 0xFFFFFFFF;
constexpr std::uint64_t kClosed = std::uint64_t{1} << 32;
constexpr unsigned kGenerationShift = 33;

// Slots are allocated in chunks and never freed, so a stale handle always has a slot to be checked against.
struct Table {
  std::atomic<Slot*> chunks[kMaxSlots / kChunk];
  std::mutex mutex;               // guards what follows
  std::uint32_t first_free = 0;   // index of a free slot, 0 for none; slot 0 is never used
  std::uint32_t made = 0;         // slots in all chunks
};
constinit Table table;            // trivially destructible: threads may still close handles at exit

Slot* slot_at(std::uint32_t index) {
  Slot* chunk = table.chunks[index / kChunk].load(std::memory_order_acquire);
  return chunk ? chunk + index % kChunk : nullptr;
}

std::uint64_t generation_of(std::uint64_t word) { return word >> kGenerationShift; }

std::uint32_t index_in(std::uintptr_t handle) { return static_cast<std::uint32_t>(handle >> 2) & (kMaxSlots - 1); }

std::uint64_t generation_in(std::uintptr_t handle) { return handle >> (2 + kIndexBits); }

Slot* slot_of(std::uintptr_t handle) {
  const bool shaped = (handle & 3) == 0 && generation_in(handle) < (1u << kGenerationBits);
  return shaped && index_in(handle) != 0 ? slot_at(index_in(handle)) : nullptr;
}

// Returns a free slot, or null if the table or the memory is full. REQUIRES: table.mutex is held.
Slot* take_free_slot() {
  if (table.first_free == 0) {
    if (table.made == kMaxSlots) return nullptr;
    Slot* chunk = new (std::nothrow) Slot[kChunk];
    if (!chunk) return nullptr;
    for (std::uint32_t i = kChunk; i-- > 0;) {
      chunk[i].index = table.made + i;
      chunk[i].word.store(kClosed, std::memory_order_relaxed);
      if (chunk[i].index == 0) continue;   // no handle is 0, because that is NULL
      chunk[i].next_free = table.first_free;
      table.first_free = chunk[i].index;
    }
    table.chunks[table.made / kChunk].store(chunk, std::memory_order_release);
    table.made += kChunk;
  }
  Slot* slot = slot_at(table.first_free);
  table.first_free = slot->next_free;
  return slot;
}

}  // namespace

std::uintptr_t open_handle(Object* object) {
  Slot* slot = nullptr;
  {
    const std::lock_guard lock(table.mutex);
    slot = take_free_slot();
  }
  if (!slot) {
    delete object;
    return 0;
  }
  slot->object = object;
  const std::uint64_t generation = generation_of(slot->word.load(std::memory_order_relaxed));
  const std::uintptr_t handle = static_cast<std::uintptr_t>(generation << kIndexBits | slot->index) << 2;
  object->handle_ = handle;
  slot->word.store(generation << kGenerationShift | kOneReference, std::memory_order_release);
  return handle;
}

Slot* acquire_slot(std::uintptr_t handle, Kind kind) {
  Slot* slot = slot_of(handle);
  if (!slot) return nullptr;
  std::uint64_t word = slot->word.load(std::memory_order_acquire);
  do {
    if (generation_of(word) != generation_in(handle) || (word & kClosed)) return nullptr;
  } while (!slot->word.compare_exchange_weak(word, word + kOneReference, std::memory_order_acq_rel,
                                             std::memory_order_acquire));
  if (slot->object->kind() == kind) return slot;
  release_slot(slot);
  return nullptr;
}

Slot* close_slot(std::uintptr_t handle, Kind kind) {
  Slot* slot = acquire_slot(handle, kind);
  if (!slot) return nullptr;
  const std::uint64_t before = slot->word.fetch_or(kClosed, std::memory_order_acq_rel);
  // This function's own reference; that of the open handle passes to the caller
  release_slot(slot);
  return before & kClosed ? nullptr : slot;  // another thread closed it between the two steps
}

void add_reference(Slot* slot) { slot->word.fetch_add(kOneReference, std::memory_order_relaxed); }

void release_slot(Slot* slot) {
  const std::uint64_t before = slot->word.fetch_sub(kOneReference, std::memory_order_acq_rel);
  if ((before & kReferences) != kOneReference) return;
  // The last reference: the slot is closed, so it cannot be found until it is opened again.
  delete std::exchange(slot->object, nullptr);
  const std::uint64_t next = (generation_of(before) + 1) % (1u << kGenerationBits);
  const std::lock_guard lock(table.mutex);
  slot->word.store(next << kGenerationShift | kClosed, std::memory_order_release);
  slot->next_free = table.first_free;
  table.first_free = slot->index;
}

}  // namespace win32_linux
