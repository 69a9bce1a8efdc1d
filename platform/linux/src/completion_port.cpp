// The completion port's calls.
#include "real_calls.h"
#include "port.h"
#include "socket.h"

using namespace win32_linux;

namespace {

HANDLE refuse(DWORD error) {
  SetLastError(error);
  return nullptr;
}

HANDLE make_port(DWORD concurrency) {
  auto* port = new Port(concurrency);
  if (!port->usable()) {
    delete port;
    return refuse(ERROR_NO_SYSTEM_RESOURCES);
  }
  const std::uintptr_t handle = open_handle(port);
  return handle ? reinterpret_cast<HANDLE>(handle) : refuse(ERROR_NO_SYSTEM_RESOURCES);
}

}  // namespace

HANDLE real::CreateIoCompletionPort(HANDLE file, HANDLE existing_port, ULONG_PTR key, DWORD concurrent_threads) {
  if (file == INVALID_HANDLE_VALUE) {
    return existing_port ? refuse(ERROR_INVALID_PARAMETER) : make_port(concurrent_threads);
  }
  const Ref<Socket> socket = find_socket(reinterpret_cast<SOCKET>(file));
  if (!socket) return refuse(ERROR_INVALID_HANDLE);
  const HANDLE handle = existing_port ? existing_port : make_port(concurrent_threads);
  if (!handle) return nullptr;
  Ref<Port> port = find_port(handle);
  const DWORD error = port ? socket->associate(std::move(port), key) : ERROR_INVALID_HANDLE;
  if (error == NO_ERROR) return handle;
  if (!existing_port) CloseHandle(handle);   // the handle is not known outside yet
  return refuse(error);
}

BOOL real::GetQueuedCompletionStatus(HANDLE handle, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED* overlapped,
                               DWORD milliseconds) {
  *overlapped = nullptr;   // distinguishes "no packet" from "a packet that failed"
  OVERLAPPED_ENTRY entry;
  ULONG removed = 0;
  DWORD error = ERROR_INVALID_HANDLE;
  if (const Ref<Port> port = find_port(handle)) error = port->wait(&entry, 1, removed, milliseconds);
  if (removed == 1) {
    *bytes = entry.dwNumberOfBytesTransferred;
    *key = entry.lpCompletionKey;
    *overlapped = entry.lpOverlapped;
    error = win32_error(static_cast<Status>(entry.Internal));
    if (error == NO_ERROR) return TRUE;
  }
  SetLastError(error);
  return FALSE;
}

BOOL real::GetQueuedCompletionStatusEx(HANDLE handle, LPOVERLAPPED_ENTRY entries, ULONG count, PULONG removed,
                                 DWORD milliseconds, BOOL) {   // no APCs here, so the wait is never alertable
  DWORD error = ERROR_INVALID_HANDLE;
  *removed = 0;
  if (!entries || count == 0) {
    error = ERROR_INVALID_PARAMETER;
  } else if (const Ref<Port> port = find_port(handle)) {
    error = port->wait(entries, count, *removed, milliseconds);
  }
  if (error == NO_ERROR) return TRUE;   // even if operations failed: each entry has its own status
  SetLastError(error);
  return FALSE;
}

BOOL real::PostQueuedCompletionStatus(HANDLE handle, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped) {
  const Ref<Port> port = find_port(handle);
  if (!port) {
    SetLastError(ERROR_INVALID_HANDLE);
    return FALSE;
  }
  Operation* packet = Operation::make();
  packet->bytes = bytes;
  packet->key = key;
  packet->overlapped = overlapped;   // passed through, never dereferenced
  packet->status = Status::kSuccess;
  port->push(packet);
  return TRUE;
}
