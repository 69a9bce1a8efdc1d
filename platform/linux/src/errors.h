// Error codes: one thread-local value, as on Windows, and the conversions from errno and NTSTATUS.
#pragma once

#include "winsock2.h"

namespace win32_linux {

// How an operation ended, as the kernel of Windows reports it: the value of OVERLAPPED::Internal.
enum class Status : DWORD {
  kSuccess = 0,
  kPending = STATUS_PENDING,
  kUnsuccessful = 0xC0000001,
  kTimedOut = 0xC00000B5,
  kCancelled = 0xC0000120,
  kConnectionReset = 0xC000020D,
  kNetworkUnreachable = 0xC000023C,
  kHostUnreachable = 0xC000023D,
  kConnectionAborted = 0xC0000241,
};

// Returns the WSA error for an errno.
int wsa_error(int error_number);

// Returns the status of an operation that was pending and then failed with this WSA error (0: success).
Status status_of(int wsa_error);

// Returns the value of GetLastError() after a packet with this status was dequeued.
DWORD win32_error(Status status);

// Sets the last error; returns SOCKET_ERROR.
int fail(int wsa_error);

}  // namespace win32_linux
