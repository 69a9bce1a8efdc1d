#include "start.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "sanitized.h"

#ifdef __linux__
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace test {
namespace {

#ifdef __linux__

constexpr std::size_t kPage = 4096;

// A page of its own, so that it can be made read only.
struct alignas(kPage) Start {
  int count;           // of the arguments
  char** arguments;    // then a null pointer, then the environment, then a null pointer
  char** environment;
  char key[64];        // not in the environment
};
Start start;

#ifdef TEST_SANITIZED
constexpr bool kErases = false;  // the sanitizer may start the program anew, with the arguments where they were
#else
constexpr bool kErases = true;
#endif
constexpr char kKeyName[] = "LAB_KEY=";

// Runs before every constructor, and before the sanitizers are ready. So it is not instrumented, and calls nothing but the
// kernel. When there is no memory, it copies nothing.
__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))
void keep_start(int count, char** arguments, char** environment) {
  std::size_t pointers = 2, bytes = 0;
  for (char* const* list : {arguments, environment}) {
    for (; *list != nullptr; ++list, ++pointers) {
      for (const char* at = *list; *at != '\0'; ++at) ++bytes;
      ++bytes;
    }
  }
  const std::size_t size = pointers * sizeof(char*) + bytes;
  const long memory = ::syscall(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  if (memory == -1) return;
  char** pointer = reinterpret_cast<char**>(memory);
  volatile char* text = reinterpret_cast<char*>(memory) + pointers * sizeof(char*);  // volatile: no call of memcpy is made of it
  for (char* const* list : {arguments, environment}) {
    (list == arguments ? start.arguments : start.environment) = pointer;
    for (char* const* one = list; *one != nullptr; ++one) {
      std::size_t same = 0;
      while (kKeyName[same] != '\0' && (*one)[same] == kKeyName[same]) ++same;
      const bool is_key = kKeyName[same] == '\0';
      if (is_key) {
        for (std::size_t i = 0; i + 1 < sizeof start.key && (*one)[same + i] != '\0'; ++i) start.key[i] = (*one)[same + i];
      } else {
        *pointer++ = const_cast<char*>(text);
        for (const char* at = *one; *at != '\0'; ++at) *text++ = *at;
        *text++ = '\0';
      }
      // The arguments name the report.
      if (kErases && (is_key || (list == arguments && one != list))) {
        for (volatile char* at = *one; *at != '\0'; ++at) *at = '\0';
      }
    }
    *pointer++ = nullptr;
  }
  start.count = count;
  ::syscall(SYS_mprotect, memory, size, PROT_READ);
  ::syscall(SYS_mprotect, &start, sizeof start, PROT_READ);
}

__attribute__((section(".preinit_array"), used)) void (*const keep_start_first)(int, char**, char**) = &keep_start;

#endif

}  // namespace

std::vector<char*> start_arguments(int argc, char** argv) {
#ifdef __linux__
  if (start.arguments != nullptr) {
    ::environ = start.environment;
    argc = start.count;
    argv = start.arguments;
  }
#endif
  std::vector<char*> arguments(argv, argv + argc);
  arguments.push_back(nullptr);
  return arguments;
}

const char* start_key() {
#ifdef __linux__
  return start.key;
#else
  static const std::string key = [] {
    const char* const given = std::getenv("LAB_KEY");
    return std::string(given == nullptr ? "" : given);
  }();
  return key.c_str();
#endif
}

const char* start_setting(const char* name) {
#ifdef __linux__
  const std::size_t length = std::strlen(name);
  for (char** one = start.environment; one != nullptr && *one != nullptr; ++one) {
    if (std::strncmp(*one, name, length) == 0 && (*one)[length] == '=') return *one + length + 1;
  }
  return nullptr;
#else
  return std::getenv(name);
#endif
}

}  // namespace test
