#include "utf8.h"

namespace grader {

std::pair<std::uint32_t, std::size_t> code_point(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at);
  const std::size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (size < 2) return {first, size};
  std::uint32_t point = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (byte(at + i) >> 6 != 2) return {0, 0};
    point = point << 6 | (byte(at + i) & 0x3fu);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < kSmallest[size] || point > 0x10ffff || surrogate ? std::pair<std::uint32_t, std::size_t>{0, 0} : std::pair{point, size};
}

bool is_hidden(std::uint32_t point) {
  return (point < 32 && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
         (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
         (point >= 0xfe00 && point <= 0xfe0f) || point == 0xfeff || (point >= 0xfff0 && point <= 0xfffb) || (point & 0xfffe) == 0xfffe ||
         point >= 0xe0000;
}

bool is_visible_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, size] = code_point(text, at);
    if (size == 0 || is_hidden(point)) return false;
    at += size;
  }
  return true;
}

}  // namespace grader
