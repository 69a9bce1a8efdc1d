// Given: a set of small numbers, one bit each. Its size is fixed at construction; no call allocates after that.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lab {

class Bits {
 public:
  explicit Bits(std::size_t size) : words_((size + 63) / 64) {}

  bool test(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(std::size_t i) { words_[i / 64] |= bit(i); }
  void reset(std::size_t i) { words_[i / 64] &= ~bit(i); }
  void clear() { words_.assign(words_.size(), 0); }

  // Returns the smallest member, or `none` if the set is empty.
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t first() const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      if (words_[w] != 0) return w * 64 + static_cast<std::size_t>(std::countr_zero(words_[w]));
    }
    return none;
  }

 private:
  static std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << (i % 64); }
  std::vector<std::uint64_t> words_;
};

}  // namespace lab
