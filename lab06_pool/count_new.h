// Given: counts what `new` is called for. Linked into the program of lab 06 only.
#pragma once

#include <cstdint>

namespace lab {

// From now on, every `new` of the calling thread counts.
void count_new_of_this_thread();

// How often the counted threads have called `new`. Any thread may ask.
std::uint64_t counted_news();

}  // namespace lab
