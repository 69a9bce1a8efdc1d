#include "real_calls.h"
#include "port.h"

using namespace win32_linux;

// Only ports are closed here; a socket is closed by closesocket().
BOOL real::CloseHandle(HANDLE handle) {
  if (const Ref<Port> port{close_slot(reinterpret_cast<std::uintptr_t>(handle), Kind::kPort)}) {
    port->close();
    return TRUE;
  }
  SetLastError(ERROR_INVALID_HANDLE);
  return FALSE;
}
