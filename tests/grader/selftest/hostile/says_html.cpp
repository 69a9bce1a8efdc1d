// Prints text that contains HTML and escape sequences.
#include <cstdio>
static const bool done = [] {
  std::puts("<script>alert(1)</script> \033[2J\033]0;owned\007 ]]> \xff\xfe =1+1");
  return true;
}();
