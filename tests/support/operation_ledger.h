// An OperationSource for the tests of labs 3 and later. It gives operations out, and keeps books.
//
// It gives no operation out twice. What comes back is filled with nonsense and kept for a while. So an operation that
// is used after its release shows: the code reads nonsense, or the nonsense has changed. One that is in flight is of the
// other kind, has no connection, and another buffer: so what reads it after posting it shows, too.
//
// Threads: any. acquire and release are called on the threads of the code under test. They only note what is wrong;
// check_in_order() tells it.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "call_rules.h"
#include "conductor.h"
#include "overlapped_ex.h"
#include "story.h"

namespace test {

class OperationLedger : public lab::OperationSource, private OperationOwner {
 public:
  OperationLedger() { begin_ownership(*this); }
  OperationLedger(const OperationLedger&) = delete;
  OperationLedger& operator=(const OperationLedger&) = delete;

  // An operation that is out may still be the system's. Then the test has failed, and the memory is left alone.
  ~OperationLedger() override {
    end_ownership(*this);
    for (auto& [op, slot] : out_) static_cast<void>(slot.release());
    for (auto& slot : back_) shut(*slot, false);
  }

  // Run in the middle of the code under test, at the beginning of each acquire and release. Set them while nobody calls those.
  std::function<void()> before_acquire, before_release;

  lab::OverlappedEx* acquire(lab::OpKind kind) override {
    if (before_acquire) before_acquire();
    yield_point("acquire");
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    if (left_to_give_ == 0) return nullptr;
    --left_to_give_;
    ++given_[kind];
    auto slot = std::make_unique<Slot>();
    lab::OverlappedEx* op = &slot->op;
    op->kind = kind;
    op->wsabuf = {static_cast<ULONG>(lab::kBufferSize), op->buffer};
    std::memset(op->buffer, kFresh, sizeof op->buffer);
    out_.emplace(op, std::move(slot));
    ++in_use_;
    return op;
  }

  bool release(lab::OverlappedEx* op) override {
    if (before_release) before_release();
    yield_point("release");
    std::unique_ptr<Slot> slot = take_out(op);
    if (slot == nullptr) return false;
    // The connection goes first and without the lock: its end may close a socket. Only then does in_use() go down, for
    // who waits for zero may look at the connection next.
    op->connection.reset();
    fill_with_nonsense(*slot);  // ThreadSanitizer sees this: whoever still uses the operation races with it
    put_back(std::move(slot));
    return true;
  }

  std::size_t in_use() const override {
    std::lock_guard lock(mutex_);
    return in_use_;
  }

  // After `count` more operations, acquire returns null.
  void give_only(std::size_t count) {
    std::lock_guard lock(mutex_);
    left_to_give_ = count;
  }

  // How many operations of this kind were given out so far.
  std::size_t given(lab::OpKind kind) const {
    std::lock_guard lock(mutex_);
    const auto found = given_.find(kind);
    return found == given_.end() ? 0 : found->second;
  }
  std::size_t given() const { return given(lab::OpKind::recv) + given(lab::OpKind::send); }

  // The operation is out: acquired and not released.
  bool is_out(const lab::OverlappedEx* op) const {
    std::lock_guard lock(mutex_);
    return out_.contains(const_cast<lab::OverlappedEx*>(op));
  }

  // The operation of a completion. Fails the test when it is none that is out.
  lab::OverlappedEx* operation_of(OVERLAPPED* overlapped) {
    auto* op = CONTAINING_RECORD(overlapped, lab::OverlappedEx, overlapped);
    std::lock_guard lock(mutex_);
    if (!out_.contains(op)) {
      fail(is_back(op) ? "expected that an operation is released after its completion, but it was released before"
                       : "expected the completion of an operation that acquire() gave, but its OVERLAPPED is another");
    }
    return op;
  }

  // Fails the test when something was wrong so far.
  void check_in_order() {
    std::lock_guard lock(mutex_);
    for (auto& slot : back_) look_at(*slot);
    for (auto& [op, slot] : out_) look_at_edges(*slot);
    if (!wrong_.empty()) fail("expected that operations are used in order, but " + wrong_);
  }

 private:
  static constexpr unsigned char kEdge = 0xE5, kFresh = 0xA7, kNonsense = 0xDB;
  static constexpr std::size_t kKept = 3000;

  struct Slot {
    Slot() {
      before.fill(kEdge);
      after.fill(kEdge);
    }
    std::array<unsigned char, 64> before;
    lab::OverlappedEx op;
    std::array<unsigned char, 64> after;
    // What the operation holds in truth, while it is in flight.
    struct Away {
      lab::OpKind kind;
      WSABUF wsabuf;
      std::shared_ptr<lab::Connection> connection;
    };
    std::optional<Away> away;
  };

  static lab::OpKind other_kind(lab::OpKind kind) { return kind == lab::OpKind::recv ? lab::OpKind::send : lab::OpKind::recv; }
  static WSABUF other_buffer(const WSABUF& wsabuf) { return {wsabuf.len ^ 1u, nullptr}; }

  void put_away(OVERLAPPED* overlapped) override {
    std::lock_guard lock(mutex_);
    const auto found = out_.find(CONTAINING_RECORD(overlapped, lab::OverlappedEx, overlapped));
    if (found == out_.end() || found->second->away) return;
    lab::OverlappedEx& op = found->second->op;
    found->second->away = {op.kind, op.wsabuf, std::move(op.connection)};
    op.kind = other_kind(op.kind);
    op.wsabuf = other_buffer(op.wsabuf);
  }
  bool bring_back(OVERLAPPED* overlapped) override {
    std::lock_guard lock(mutex_);
    const auto found = out_.find(CONTAINING_RECORD(overlapped, lab::OverlappedEx, overlapped));
    return found == out_.end() || bring_back(*found->second);
  }
  static bool bring_back(Slot& slot) {
    if (!slot.away) return true;
    lab::OverlappedEx& op = slot.op;
    const WSABUF wsabuf = other_buffer(slot.away->wsabuf);
    const bool untouched = op.kind == other_kind(slot.away->kind) && op.wsabuf.len == wsabuf.len &&
                           op.wsabuf.buf == wsabuf.buf && op.connection == nullptr;
    op.kind = slot.away->kind;
    op.wsabuf = slot.away->wsabuf;
    op.connection = std::move(slot.away->connection);
    slot.away.reset();
    return untouched;
  }

  // The operation, which is nobody's from now on. Null when it is not out.
  std::unique_ptr<Slot> take_out(lab::OverlappedEx* op) {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    const auto found = out_.find(op);
    if (found == out_.end()) {
      note(is_back(op)         ? "an operation was released twice"
           : op == between_ ? "an operation was released by two threads at once"
                            : "something was released that is no operation of ours");
      return nullptr;
    }
    call_rules().releasing(&op->overlapped);
    between_ = op;
    std::unique_ptr<Slot> slot = std::move(found->second);
    out_.erase(found);
    bring_back(*slot);
    return slot;
  }
  void put_back(std::unique_ptr<Slot> slot) {
    const OutOfSight hidden;
    std::lock_guard lock(mutex_);
    --in_use_;
    look_at_edges(*slot);
    back_.push_back(std::move(slot));
    if (back_.size() > kKept) {
      look_at(*back_.front());
      back_.pop_front();
    }
  }

  // Under ASan a released operation cannot even be read.
  static void shut(Slot& slot, bool shut) {
#if defined(__SANITIZE_ADDRESS__)
    if (shut) {
      ASAN_POISON_MEMORY_REGION(&slot.op, sizeof slot.op);
    } else {
      ASAN_UNPOISON_MEMORY_REGION(&slot.op, sizeof slot.op);
    }
#else
    static_cast<void>(slot), static_cast<void>(shut);
#endif
  }

  static void fill_with_nonsense(Slot& slot) {
    std::memset(static_cast<void*>(&slot.op.overlapped), kNonsense, sizeof slot.op.overlapped);
    std::memset(static_cast<void*>(&slot.op.kind), kNonsense, sizeof slot.op.kind);
    std::memset(static_cast<void*>(&slot.op.wsabuf), kNonsense, sizeof slot.op.wsabuf);
    std::memset(slot.op.buffer, kNonsense, sizeof slot.op.buffer);
    shut(slot, true);
  }

  void look_at(Slot& slot) {
    shut(slot, false);
    if (!all_are(kNonsense, &slot.op.overlapped, sizeof slot.op.overlapped) || slot.op.connection != nullptr ||
        !all_are(kNonsense, &slot.op.kind, sizeof slot.op.kind) ||
        !all_are(kNonsense, &slot.op.wsabuf, sizeof slot.op.wsabuf) ||
        !all_are(kNonsense, slot.op.buffer, sizeof slot.op.buffer)) {
      note("an operation was written to after its release");
    }
    shut(slot, true);
    look_at_edges(slot);
  }
  void look_at_edges(const Slot& slot) {
    if (!all_are(kEdge, slot.before.data(), slot.before.size()) ||
        !all_are(kEdge, slot.after.data(), slot.after.size())) {
      note("an operation was overrun: the memory beside it has changed");
    }
  }
  static bool all_are(unsigned char value, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    return std::all_of(bytes, bytes + size, [value](unsigned char byte) { return byte == value; });
  }

  bool is_back(const lab::OverlappedEx* op) const {
    return std::any_of(back_.begin(), back_.end(), [op](const auto& slot) { return &slot->op == op; });
  }
  void note(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  mutable std::mutex mutex_;  // protects what follows
  std::map<lab::OverlappedEx*, std::unique_ptr<Slot>> out_;
  std::size_t in_use_ = 0;
  const lab::OverlappedEx* between_ = nullptr;  // the last that went from out_ to back_
  std::deque<std::unique_ptr<Slot>> back_;      // released, the oldest first
  std::map<lab::OpKind, std::size_t> given_;
  std::size_t left_to_give_ = static_cast<std::size_t>(-1);
  std::string wrong_;  // the first thing that was wrong
};

}  // namespace test
