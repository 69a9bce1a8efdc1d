// What an unwritten TODO does: it says which one it is.
#pragma once

#include <stdexcept>
#include <string>

namespace lab {

class NotStarted : public std::logic_error {
 public:
  explicit NotStarted(const std::string& todo) : std::logic_error("not started: " + todo) {}
};

// Each starter function begins with this call. Delete the call when you write the function.
[[noreturn]] inline void not_started(const char* todo) { throw NotStarted(todo); }

}  // namespace lab
