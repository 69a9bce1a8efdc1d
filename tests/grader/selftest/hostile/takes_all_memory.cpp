// Allocates 8 GB of address space and writes to 64 MB of it.
#include <cstdlib>
#include <cstring>
static const bool done = [] {
  for (int i = 0; i < 64; ++i) {
    void* const block = std::malloc(128u << 20);
    if (block == nullptr) return false;
    std::memset(block, 1, 1 << 20);
  }
  return true;
}();
