// A file that never comes.
#include "/dev/stdin"
