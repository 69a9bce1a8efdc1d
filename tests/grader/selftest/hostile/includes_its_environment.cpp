// What the compiler was started with.
#include "/proc/self/environ"
