// Adds counters (counters.h) to a lab's program: it is linked in addition to the lab's own code, which stays unchanged.
// Without LAB_COUNTERS it counts nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "calls.h"
#include "counters.h"

namespace {

bench::Counters* counters = nullptr;  // null until the program has started

void count(std::atomic<std::uint64_t> bench::Counters::*what) {
  if (counters != nullptr) (counters->*what).fetch_add(1, std::memory_order_relaxed);
}

SOCKET WINAPI counted_accept(SOCKET s, sockaddr* name, int* length) {
  const SOCKET client = win32::real_calls().accept(s, name, length);
  if (client != INVALID_SOCKET) count(&bench::Counters::accepts);
  return client;
}

int WINAPI counted_WSARecv(SOCKET s, LPWSABUF buffers, DWORD buffer_count, LPDWORD bytes, LPDWORD flags, LPWSAOVERLAPPED overlapped,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
  const int result = win32::real_calls().WSARecv(s, buffers, buffer_count, bytes, flags, overlapped, routine);
  const DWORD error = ::GetLastError();
  if (result == 0 || error == WSA_IO_PENDING) count(&bench::Counters::receives);
  return result;
}

BOOL WINAPI counted_status(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED* overlapped, DWORD milliseconds) {
  count(&bench::Counters::completion_calls);
  return win32::real_calls().GetQueuedCompletionStatus(port, bytes, key, overlapped, milliseconds);
}

BOOL WINAPI counted_status_ex(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG entry_count, PULONG removed, DWORD milliseconds,
                              BOOL alertable) {
  count(&bench::Counters::completion_calls);
  return win32::real_calls().GetQueuedCompletionStatusEx(port, entries, entry_count, removed, milliseconds, alertable);
}

// Runs before main, so before a second thread exists.
[[maybe_unused]] const bool started = [] {
  const char* const name = std::getenv(bench::kCountersVariable);
  if (name == nullptr) return false;
  const int file = ::open(name, O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  void* const memory = ::mmap(nullptr, sizeof(bench::Counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return false;
  static win32::Calls observer = win32::real_calls();
  observer.accept = &counted_accept;
  observer.WSARecv = &counted_WSARecv;
  observer.GetQueuedCompletionStatus = &counted_status;
  observer.GetQueuedCompletionStatusEx = &counted_status_ex;
  win32::watch_calls(observer);
  counters = static_cast<bench::Counters*>(memory);
  return true;
}();

void* take(std::size_t size, std::size_t alignment) {
  count(&bench::Counters::news);
  if (size == 0) size = 1;
  void* const memory = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? std::malloc(size)
                                                                     : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// All other forms call these.
void* operator new(std::size_t size) { return take(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

// Lab 6 has its own operator new in count_new.cpp, which is not linked here. So its count is 0.
namespace lab {
void count_new_of_this_thread();
std::uint64_t counted_news();
void count_new_of_this_thread() {}
std::uint64_t counted_news() { return 0; }
}  // namespace lab
