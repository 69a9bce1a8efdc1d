// Reports an unwritten TODO by its number.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace lab {

class NotStarted : public std::logic_error {
 public:
  explicit NotStarted(const std::string& todo) : std::logic_error("not started: " + todo) {}
};

// Each starter function begins with this call. Delete the call when you write the function. (The call names the
// parameters so that the compiler does not warn that they are unused.)
template <class... Parameters>
[[noreturn]] void not_started(const char* todo, const Parameters&...) {
  throw NotStarted(todo);
}

constexpr int kExitNotStarted = 3;

// An exception that leaves a thread ends the program. Programs and tests install this handler, so that the program ends
// with the reason, whichever thread it was.
inline void explain_and_exit() {
  int code = EXIT_FAILURE;
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    std::fprintf(stderr, "error: std::terminate was called\n");
  } catch (const NotStarted& error) {
    std::fprintf(stderr, "%s\n", error.what());
    code = kExitNotStarted;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: a thread ended with an exception: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "error: a thread ended with an unknown exception\n");
  }
  std::_Exit(code);
}

}  // namespace lab
