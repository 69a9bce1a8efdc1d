// Includes standard input, which would block.
#include "/dev/stdin"
