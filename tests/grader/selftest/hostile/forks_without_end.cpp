// Starts 300 processes; each of them ends by itself.
#include <unistd.h>
static const bool done = [] {
  for (int i = 0; i < 300; ++i) {
    if (::fork() != 0) continue;
    ::sleep(2);
    ::_exit(0);
  }
  return true;
}();
