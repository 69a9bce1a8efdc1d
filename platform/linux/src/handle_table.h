// One table for SOCKETs and HANDLEs. A handle names a slot and a generation of it, so a closed handle stays
// invalid although its slot is used again.
//
//   handle = (generation << 20 | index) << 2          like Windows, a multiple of 4; it fits 31 bits
//   slot   = word (generation, closed, references) + object
//
// Lifetime: the open handle is one reference and each Ref is another. Closing a handle makes it unfindable at once; the
// object is deleted with its last Ref. So a call in progress keeps its socket, and the descriptor in it, even if other
// threads close the handle meanwhile.
// Threads: all functions may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "winsock2.h"

namespace win32_linux {

enum class Kind : unsigned char { kSocket, kPort };

class Object {
 public:
  explicit Object(Kind kind) : kind_(kind) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  Kind kind() const { return kind_; }
  std::uintptr_t handle() const { return handle_; }

 private:
  friend std::uintptr_t open_handle(Object* object);
  const Kind kind_;
  std::uintptr_t handle_ = 0;   // set once, before the object can be found
};

struct Slot {
  std::atomic<std::uint64_t> word{0};
  Object* object = nullptr;      // set before the slot is opened, deleted with the last reference
  std::uint32_t index = 0;
  std::uint32_t next_free = 0;   // guarded by the table's lock
};

// The untyped half of Ref; use find_socket() and find_port().
Slot* acquire_slot(std::uintptr_t handle, Kind kind);
void add_reference(Slot* slot);
void release_slot(Slot* slot);

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(Slot* slot) : slot_(slot) {}
  Ref(Ref&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Ref(const Ref& other) : slot_(other.slot_) {
    if (slot_) add_reference(slot_);
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Ref() {
    if (slot_) release_slot(slot_);
  }
  explicit operator bool() const { return slot_ != nullptr; }
  T* get() const { return static_cast<T*>(slot_->object); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }

 private:
  Slot* slot_ = nullptr;
};

// Gives the object a handle, and takes ownership of it. Returns 0 if the table is full: the object is deleted.
std::uintptr_t open_handle(Object* object);

// Closes the handle. Returns the object's slot to the first of several closing threads, and null to the others.
Slot* close_slot(std::uintptr_t handle, Kind kind);

}  // namespace win32_linux
