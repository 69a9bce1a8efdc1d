// platform/calls.h on Windows: changes the import table of this executable.
//
// The table has one slot for each imported function, and the loader has written its address into it. An import may be
// by ordinal (Winsock's often are), so a slot is identified by its address: the one that GetProcAddress returns for the
// name.
#include "calls.h"

#include <system_error>

namespace {

win32::Calls real;

template <class Function>
void find(const char* name, Function*& function) {
  for (const char* dll : {"ws2_32.dll", "kernel32.dll"}) {
    if (const FARPROC found = ::GetProcAddress(::GetModuleHandleA(dll), name)) {
      function = reinterpret_cast<Function*>(reinterpret_cast<void*>(found));
      return;
    }
  }
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), name);
}

// Replaces `from` by `to` in the slot. Import tables are read-only memory.
void replace(IMAGE_THUNK_DATA& slot, const void* from, const void* to) {
  if (reinterpret_cast<const void*>(slot.u1.Function) != from) return;
  DWORD old = 0;
  if (!::VirtualProtect(&slot, sizeof slot, PAGE_READWRITE, &old)) {
    throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), "VirtualProtect");
  }
  slot.u1.Function = reinterpret_cast<decltype(slot.u1.Function)>(to);
  ::VirtualProtect(&slot, sizeof slot, old, &old);
}

}  // namespace

const win32::Calls& win32::real_calls() {
  static const bool found = [] {
#define CALL(result, name, parameters, arguments) find(#name, real.name);
#include "calls.inc"
    return true;
  }();
  static_cast<void>(found);
  return real;
}

void win32::watch_calls(const Calls& observer) {
  const Calls& from = real_calls();
  auto* const base = reinterpret_cast<unsigned char*>(::GetModuleHandleA(nullptr));
  const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
  const auto* headers = reinterpret_cast<const IMAGE_NT_HEADERS*>(base + dos->e_lfanew);
  const auto& imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
  for (auto* dll = reinterpret_cast<const IMAGE_IMPORT_DESCRIPTOR*>(base + imports.VirtualAddress); dll->Name != 0; ++dll) {
    for (auto* slot = reinterpret_cast<IMAGE_THUNK_DATA*>(base + dll->FirstThunk); slot->u1.Function != 0; ++slot) {
#define CALL(result, name, parameters, arguments) \
  replace(*slot, reinterpret_cast<const void*>(from.name), reinterpret_cast<const void*>(observer.name));
#include "calls.inc"
    }
  }
}
