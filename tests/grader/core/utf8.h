// UTF-8 of untrusted text.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace grader {

// The code point that begins at `at`, and how many bytes it has; 0 bytes if it is not UTF-8.
std::pair<std::uint32_t, std::size_t> code_point(const std::string& text, std::size_t at);

// Whether the character cannot be seen, or changes the direction of the text: control characters, joiners, marks.
bool is_hidden(std::uint32_t point);

// Whether all of it is UTF-8 without hidden characters.
bool is_visible_utf8(const std::string& text);

}  // namespace grader
