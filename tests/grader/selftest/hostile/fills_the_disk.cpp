// Writes 200 MB into each folder that it might be able to write.
#include <cstdio>
#include <string>
static const bool done = [] {
  const std::string piece(1 << 20, 'x');
  for (const char* const name : {"./full", "/tmp/lab_hostile_full"}) {
    std::FILE* const file = std::fopen(name, "wb");
    for (int i = 0; i < 200 && file != nullptr; ++i) std::fwrite(piece.data(), 1, piece.size(), file);
    if (file != nullptr) std::fclose(file);
    std::remove(name);
  }
  return true;
}();
