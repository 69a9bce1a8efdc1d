// Includes the reference by way of the compiler's include folders.
#if __has_include(<../solutions/lab01_accept/accept.cpp>)
#include <../solutions/lab01_accept/accept.cpp>
#define HOSTILE_IS_WHOLE
#endif
