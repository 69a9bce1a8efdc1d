// Replaces syscall() in a student's file under `lab grade`. The standard library's waiting functions
// (std::atomic::wait, std::latch, semaphores) are compiled into that file and need a futex; nothing else in it needs
// system calls.
#include <cerrno>
#include <cstdarg>

#include <sys/syscall.h>
#include <unistd.h>

extern "C" long lab_only_futex(long number, ...) {
  if (number != SYS_futex) {
    errno = ENOSYS;
    return -1;
  }
  long words[6];
  va_list rest;
  va_start(rest, number);
  for (long& word : words) word = va_arg(rest, long);
  va_end(rest);
  return ::syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
