// UTF-8 in untrusted text.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace grader {

// Returns the code point at `at` and its number of bytes, which is 0 if the bytes are not UTF-8.
std::pair<std::uint32_t, std::size_t> code_point(const std::string& text, std::size_t at);

// Returns whether the character is invisible or changes the direction of the text: control characters, joiners, marks.
bool is_hidden(std::uint32_t point);

// Returns whether all of the text is UTF-8 without hidden characters.
bool is_visible_utf8(const std::string& text);

}  // namespace grader
