// Calls functions below those that the tests observe, so that no rule could be broken.
#include <cstdint>
namespace win32_linux::real {
int closesocket(std::uintptr_t);
}
static volatile bool done = [] { return win32_linux::real::closesocket(~std::uintptr_t{0}) != 0; }();
