// What a student's object file defines and asks for. Its code runs in the process that writes the verdict; so it may
// not take the place of the tests' own functions, and what no lab needs is shown to a person.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct SymbolCheck {
  std::string refused;             // why it is not linked; empty: it is
  std::vector<std::string> notes;  // "it calls _exit: no lab needs that, look at it by hand"
};

// `nm`: what `nm -P` prints of the object. `source`: the student's file.
SymbolCheck check_symbols(const std::string& nm, const std::string& source);

}  // namespace grader
