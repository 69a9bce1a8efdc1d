// Runs work on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace grader {

// Calls work(0) ... work(count - 1), `jobs` at once, and returns when all have returned. Starts no further call after
// the user has interrupted. `work` is called on several threads and must not throw.
void parallel_for(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& work);

}  // namespace grader
