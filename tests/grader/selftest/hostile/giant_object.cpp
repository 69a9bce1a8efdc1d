// Data of many gigabytes, which the compiler, the assembler and the linker would have to write.
struct Giant {
  char bytes[1ull << 36];
};
Giant giant = {{1}};
