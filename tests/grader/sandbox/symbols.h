// Checks what a student's object file defines and uses. Its code runs in the process that writes the verdict. So it
// must not replace functions of the tests, and uses that no lab needs are reported to the instructor.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct SymbolCheck {
  std::string refused;             // reason why it is not linked, or empty
  std::vector<std::string> notes;  // such as "it uses _exit, which no lab needs: check it manually"
};

// Checks an object. `nm` is the output of `nm -P`.
SymbolCheck check_symbols(const std::string& nm);

// Returns the symbols of these kinds in the output of `nm -P`, without those that compilers generate.
std::vector<std::string> symbols_of(const std::string& nm, const std::string& kinds);
inline const std::string kStrong = "TDBR";  // only this object may define them
inline const std::string kUnique = "u";     // data that exists once per program, in every object that uses it

// Returns more such data in the output of `nm -P`: type names, and what the given headers define.
std::vector<std::string> shared_data(const std::string& nm);

// Returns what the instructor should check in this source (it detects sanitizers, or hides a function from them), or an
// empty string.
std::string sanitizer_note(const std::string& source);

// Returns the reason why this assembler text, which the compiler wrote for the file, is rejected, or an empty string.
// Inline assembler, or data that is run as code, would evade every list of names.
std::string check_assembler(const std::string& text);

}  // namespace grader
