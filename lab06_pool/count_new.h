// Given: counts the calls of `new`. Linked only into the program of lab 6.
#pragma once

#include <cstdint>

namespace lab {

// Counts every `new` of the calling thread from now on.
void count_new_of_this_thread();

// Returns how often the counted threads have called `new`. Any thread may call it.
std::uint64_t counted_news();

}  // namespace lab
