// What a student's object file defines and asks for. Its code runs in the process that writes the verdict; so it may
// not take the place of the tests' own functions, and what no lab needs is shown to a person.
#pragma once

#include <string>
#include <vector>

namespace grader {

struct SymbolCheck {
  std::string refused;             // why it is not linked; empty: it is
  std::vector<std::string> notes;  // "it uses _exit, which no lab needs: look at it by hand"
};

// `nm`: what `nm -P` prints of the object.
SymbolCheck check_symbols(const std::string& nm);

// Of `nm -P`: the symbols of these kinds, without those that compilers make.
std::vector<std::string> symbols_of(const std::string& nm, const std::string& kinds);
inline const std::string kStrong = "TDBR";  // only this object may define them
inline const std::string kUnique = "u";     // data that a program has once, in every object that names it

// Of `nm -P`: more such data: type names, and what the given headers define.
std::vector<std::string> shared_data(const std::string& nm);

// What a person should look at in this source: it tells the sanitizers apart, or keeps a function from them. Empty: nothing.
std::string sanitizer_note(const std::string& source);

// Why this assembler text, as the compiler wrote it for the file, is refused; empty: it is not. A student's own assembler,
// or data that is run as code, gets around every list of names.
std::string check_assembler(const std::string& text);

}  // namespace grader
