// The part of <windows.h> that the labs use: base types, completion ports, interlocked lists, console events.
// What is not declared here is not supported.
#ifndef WIN32_LINUX_WINDOWS_H
#define WIN32_LINUX_WINDOWS_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "winerror.h"

#define WINAPI
#define CALLBACK
#define TRUE 1
#define FALSE 0
#define INFINITE 0xFFFFFFFFu

using BOOL = int;
using BOOLEAN = unsigned char;
using BYTE = unsigned char;
using CHAR = char;
using UCHAR = unsigned char;
using SHORT = short;
using USHORT = unsigned short;
using WORD = unsigned short;
using INT = int;
using UINT = unsigned int;
using LONG = std::int32_t;       // `long` on Windows, which has 32 bits there
using ULONG = std::uint32_t;
using DWORD = std::uint32_t;
using LONGLONG = long long;
using ULONGLONG = unsigned long long;
using UINT_PTR = std::uintptr_t;
using LONG_PTR = std::intptr_t;
using ULONG_PTR = std::uintptr_t;
using DWORD_PTR = std::uintptr_t;
using SIZE_T = std::size_t;
using VOID = void;
using PVOID = void*;
using LPVOID = void*;
using LPCVOID = const void*;
using PSTR = char*;
using LPSTR = char*;
using PCSTR = const char*;
using LPCSTR = const char*;
using PBOOL = BOOL*;
using LPBOOL = BOOL*;
using PDWORD = DWORD*;
using LPDWORD = DWORD*;
using PULONG = ULONG*;
using PULONG_PTR = ULONG_PTR*;
using LPINT = int*;
using HANDLE = void*;

#define INVALID_HANDLE_VALUE (reinterpret_cast<HANDLE>(static_cast<LONG_PTR>(-1)))

#define MAKEWORD(low, high) \
  (static_cast<WORD>((static_cast<DWORD_PTR>(low) & 0xff) | ((static_cast<DWORD_PTR>(high) & 0xff) << 8)))
#define LOBYTE(w) (static_cast<BYTE>(static_cast<DWORD_PTR>(w) & 0xff))
#define HIBYTE(w) (static_cast<BYTE>((static_cast<DWORD_PTR>(w) >> 8) & 0xff))
#define CONTAINING_RECORD(address, type, field) \
  (reinterpret_cast<type*>(reinterpret_cast<char*>(address) - offsetof(type, field)))
#define UNREFERENCED_PARAMETER(p) (static_cast<void>(p))

inline void ZeroMemory(void* at, SIZE_T bytes) { std::memset(at, 0, bytes); }

DWORD GetLastError();
void SetLastError(DWORD error);
DWORD GetCurrentThreadId();
void Sleep(DWORD milliseconds);
ULONGLONG GetTickCount64();

// Overlapped I/O. The layout is that of Windows. From the call that takes it until its completion packet has been
// dequeued, an OVERLAPPED belongs to the system: it must not be moved, freed or used again.
struct OVERLAPPED {
  ULONG_PTR Internal;      // the NTSTATUS; STATUS_PENDING (259) while the operation runs
  ULONG_PTR InternalHigh;  // bytes transferred
  __extension__ union {
    __extension__ struct {
      DWORD Offset;
      DWORD OffsetHigh;
    };
    PVOID Pointer;
  };
  HANDLE hEvent;           // must be null: events are not supported
};
using LPOVERLAPPED = OVERLAPPED*;

struct OVERLAPPED_ENTRY {
  ULONG_PTR lpCompletionKey;
  LPOVERLAPPED lpOverlapped;
  ULONG_PTR Internal;      // the NTSTATUS, 0 for success
  DWORD dwNumberOfBytesTransferred;
};
using LPOVERLAPPED_ENTRY = OVERLAPPED_ENTRY*;

#define STATUS_PENDING (static_cast<DWORD>(0x00000103))

inline BOOL HasOverlappedIoCompleted(const OVERLAPPED* overlapped) {
  return static_cast<DWORD>(__atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE)) != STATUS_PENDING;
}

HANDLE CreateIoCompletionPort(HANDLE file, HANDLE existing_port, ULONG_PTR key, DWORD concurrent_threads);
BOOL GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED* overlapped,
                               DWORD milliseconds);
BOOL GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count, PULONG removed,
                                 DWORD milliseconds, BOOL alertable);
BOOL PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped);
BOOL CancelIoEx(HANDLE file, LPOVERLAPPED overlapped);
BOOL CloseHandle(HANDLE handle);

#define FILE_SKIP_COMPLETION_PORT_ON_SUCCESS 0x1
#define FILE_SKIP_SET_EVENT_ON_HANDLE 0x2
BOOL SetFileCompletionNotificationModes(HANDLE file, UCHAR flags);

// Interlocked lists. A header is 16 bytes, aligned to 16; so is an entry, as on Windows.
#define MEMORY_ALLOCATION_ALIGNMENT 16
#define DECLSPEC_ALIGN(n) alignas(n)

struct alignas(MEMORY_ALLOCATION_ALIGNMENT) SLIST_ENTRY {
  SLIST_ENTRY* Next;
};
using PSLIST_ENTRY = SLIST_ENTRY*;

struct alignas(MEMORY_ALLOCATION_ALIGNMENT) SLIST_HEADER {
  SLIST_ENTRY* First;   // both words belong to the functions below
  USHORT Depth;
  int Lock;
};
using PSLIST_HEADER = SLIST_HEADER*;

void InitializeSListHead(PSLIST_HEADER list);
PSLIST_ENTRY InterlockedPushEntrySList(PSLIST_HEADER list, PSLIST_ENTRY entry);
PSLIST_ENTRY InterlockedPopEntrySList(PSLIST_HEADER list);
PSLIST_ENTRY InterlockedFlushSList(PSLIST_HEADER list);
USHORT QueryDepthSList(PSLIST_HEADER list);

// Console events: SIGINT is CTRL_C_EVENT, SIGQUIT is CTRL_BREAK_EVENT, SIGTERM and SIGHUP are CTRL_CLOSE_EVENT.
#define CTRL_C_EVENT 0
#define CTRL_BREAK_EVENT 1
#define CTRL_CLOSE_EVENT 2
#define CTRL_LOGOFF_EVENT 5
#define CTRL_SHUTDOWN_EVENT 6

using PHANDLER_ROUTINE = BOOL(WINAPI*)(DWORD event);
BOOL SetConsoleCtrlHandler(PHANDLER_ROUTINE handler, BOOL add);
BOOL GenerateConsoleCtrlEvent(DWORD event, DWORD process_group);

#endif
