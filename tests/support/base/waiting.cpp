#include "waiting.h"

#include "sanitized.h"
#include "win32.h"

namespace test {
namespace {

[[maybe_unused]] bool on_wine() {
#ifdef _WIN32
  return ::GetProcAddress(::GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr;
#else
  return false;
#endif
}

}  // namespace

double slowness() {
#ifdef TEST_SANITIZED
  return 2.5;
#else
  static const double factor = on_wine() ? 2.5 : 1.0;
  return factor;
#endif
}

Clock::duration patience() {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(5) * slowness());
}

std::string patience_text() { return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience()).count()) + " s"; }

bool& last_wait_timed_out() {
  thread_local bool timed_out = false;
  return timed_out;
}

}  // namespace test
