// The calls below those that the tests watch: no rule could be broken by them.
#include <cstdint>
namespace win32_linux::real {
int closesocket(std::uintptr_t);
}
static volatile bool done = [] { return win32_linux::real::closesocket(~std::uintptr_t{0}) != 0; }();
