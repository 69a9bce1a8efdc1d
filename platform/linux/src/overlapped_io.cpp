// WSARecv, WSASend, CancelIoEx, SetFileCompletionNotificationModes.
#include "real_calls.h"
#include "socket.h"

using namespace win32_linux;

namespace {

// Returns the error in the arguments, or 0.
int check(const WSABUF* buffers, DWORD count, const DWORD* bytes, const OVERLAPPED* overlapped) {
  if (!buffers) return WSAEFAULT;
  if (count == 0) return WSAEINVAL;
  if (!bytes && !overlapped) return WSAEFAULT;   // the number of bytes could not be reported
  return 0;
}

Operation* make_operation(const WSABUF* buffers, DWORD count, OVERLAPPED* overlapped) {
  Operation* operation = Operation::make();
  operation->set_buffers(buffers, count);
  operation->overlapped = overlapped;
  return operation;
}

}  // namespace

int real::WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED overlapped,
            std::nullptr_t) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (!flags) return fail(WSAEFAULT);
  if (const int error = check(buffers, count, received, overlapped)) return fail(error);
  const bool peek = *flags & MSG_PEEK;
  if (*flags & ~DWORD{MSG_PEEK}) return fail(WSAEOPNOTSUPP);
  *flags = 0;   // a stream has no flags to report
  if (overlapped && socket->overlapped()) {
    Operation* operation = make_operation(buffers, count, overlapped);
    operation->peek = peek;
    const int error = socket->start_receive(operation, received);
    return error == 0 ? 0 : fail(error);
  }
  Operation operation;
  operation.set_buffers(buffers, count);
  operation.peek = peek;
  if (const int error = socket->receive(operation)) return fail(error);
  if (received) *received = operation.bytes;
  return 0;
}

int real::WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped,
            std::nullptr_t) {
  const Ref<Socket> socket = find_socket(s);
  if (!socket) return fail(WSAENOTSOCK);
  if (const int error = check(buffers, count, sent, overlapped)) return fail(error);
  if (flags != 0) return fail(WSAEOPNOTSUPP);
  if (overlapped && socket->overlapped()) {
    const int error = socket->start_send(make_operation(buffers, count, overlapped), sent);
    return error == 0 ? 0 : fail(error);
  }
  Operation operation;
  operation.set_buffers(buffers, count);
  if (const int error = socket->send(operation)) return fail(error);
  if (sent) *sent = operation.bytes;
  return 0;
}

BOOL real::CancelIoEx(HANDLE file, LPOVERLAPPED overlapped) {
  const Ref<Socket> socket = find_socket(reinterpret_cast<SOCKET>(file));
  const DWORD error = socket ? socket->cancel(overlapped) : ERROR_INVALID_HANDLE;
  if (error == NO_ERROR) return TRUE;
  SetLastError(error);
  return FALSE;
}

BOOL real::SetFileCompletionNotificationModes(HANDLE file, UCHAR flags) {
  const Ref<Socket> socket = find_socket(reinterpret_cast<SOCKET>(file));
  DWORD error = NO_ERROR;
  if (flags & ~(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE)) {
    error = ERROR_INVALID_PARAMETER;
  } else if (!socket) {
    error = ERROR_INVALID_HANDLE;
  } else if (flags & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) {
    socket->skip_packets_on_success();   // it cannot be reset
  }
  if (error == NO_ERROR) return TRUE;
  SetLastError(error);
  return FALSE;
}
