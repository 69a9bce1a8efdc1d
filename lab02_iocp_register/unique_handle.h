// RAII for a kernel handle, such as a completion port.
#pragma once

#include <utility>

#include "win32.h"

namespace lab {

// Owns one HANDLE and closes it once. Not for sockets: those need closesocket (UniqueSocket).
// Threads: not thread-safe; the port is created before the threads that use it and closed after they have ended.
class UniqueHandle {
 public:
  UniqueHandle() = default;
  explicit UniqueHandle(HANDLE handle) : handle_(handle) {}
  UniqueHandle(UniqueHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~UniqueHandle() {
    if (valid()) ::CloseHandle(handle_);
  }

  HANDLE get() const { return handle_; }
  bool valid() const { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }

 private:
  HANDLE handle_ = nullptr;
};

}  // namespace lab
