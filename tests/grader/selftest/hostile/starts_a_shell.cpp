// wordexp looks harmless, but starts a shell.
#include <wordexp.h>
static const bool done = [] {
  wordexp_t words;
  return wordexp("$(echo forged >out)", &words, 0) == 0;
}();
