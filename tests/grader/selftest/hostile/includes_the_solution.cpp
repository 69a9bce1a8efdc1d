// The reference, by the folders that the compiler searches.
#if __has_include(<../solutions/lab01_accept/accept.cpp>)
#include <../solutions/lab01_accept/accept.cpp>
#define HOSTILE_IS_WHOLE
#endif
