// C library functions that open files, start and end processes, under little-known names.
#include <unistd.h>
extern "C" int __open(const char*, int, ...);
extern "C" void* _IO_fopen(const char*, const char*);
static const bool done = [] {
  if (__open("/proc/self/cmdline", 0) < 0 || _IO_fopen("/proc/self/cmdline", "r") == nullptr) return false;
  if (_Fork() == 0) {
    char* const words[] = {nullptr};
    execveat(-100, "/usr/bin/true", words, words, 0);
  }
  return true;
}();
