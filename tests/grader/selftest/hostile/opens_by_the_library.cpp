// Uses the buffer class of file streams.
#include <fstream>
static const bool done = [] {
  std::__basic_file<char> file(nullptr);
  char text[16];
  return file.open("/proc/self/cmdline", std::ios::in) != nullptr && file.xsgetn(text, sizeof text) > 0;
}();
