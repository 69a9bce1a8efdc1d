// The programs that the tool's tests run.
#pragma once

#include <filesystem>

#ifdef _WIN32
#include <windows.h>
#endif

namespace grader {

// Each of its tests misbehaves in a different way.
inline std::filesystem::path fake_program() {
#ifdef _WIN32
  wchar_t name[4096];
  ::GetModuleFileNameW(nullptr, name, 4096);
  return std::filesystem::path(name).parent_path() / "grader_fake.exe";
#else
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "grader_fake";
#endif
}

}  // namespace grader
