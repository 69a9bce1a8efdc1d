// Something to be done when a thread ends.
#pragma once

#include <functional>

namespace test {

// Calls `leave` on this thread when it ends. It may not look at thread_local variables: with MinGW they are gone by then,
// and so a thread_local object with a destructor is of no use there.
void at_thread_end(std::function<void()> leave);

}  // namespace test
