// Every unlock is a place where another thread may go on: for the conductor (conductor.h), on Linux.
//
// The executable's pthread_mutex_lock and pthread_mutex_unlock stand before those of the C library; std::mutex calls
// them. So a thread that finds a mutex locked stops as any other, and nobody has to guess that it waits. Under
// ThreadSanitizer they are left alone: they are its own.
#include "conducting.h"

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

namespace {

using MutexCall = int (*)(pthread_mutex_t*);

MutexCall find(const char* name) { return reinterpret_cast<MutexCall>(::dlsym(RTLD_NEXT, name)); }

}  // namespace

// A preemption test does not suspend a thread in here (interrupted.cpp): the call is one step of the code that makes it.
#define IN_THE_HARNESS __attribute__((section("lab_harness")))

extern "C" IN_THE_HARNESS int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const MutexCall real = find("pthread_mutex_lock");
  while (test::Conducting::controls_this_thread()) {
    const int error = ::pthread_mutex_trylock(mutex);
    if (error != EBUSY) return error;
    test::Conducting::wait_for_lock(mutex);
  }
  return real(mutex);
}

extern "C" IN_THE_HARNESS int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  static const MutexCall real = find("pthread_mutex_unlock");
  const int error = real(mutex);
  if (test::Conducting::controls_this_thread()) test::Conducting::unlocked(mutex);
  return error;
}

bool test::Conducting::locks_are_known() { return true; }

#else

bool test::Conducting::locks_are_known() { return false; }

#endif
