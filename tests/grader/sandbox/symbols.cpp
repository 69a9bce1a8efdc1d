#include "symbols.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <iterator>
#include <set>
#include <sstream>

namespace grader {

namespace {

// The C functions that a file may use. All others are rejected, because no list of harmful functions is complete: in
// addition to `open` the library has `__open`, `_IO_fopen`, `wordexp` and more. (exit and similar functions are
// allowed: a test that ends early has no report.)
constexpr const char kAllowed[] =
    // memory, text, characters
    " malloc calloc realloc free aligned_alloc posix_memalign memcpy memmove memset memcmp memchr memrchr memccpy "
    "mempcpy bcmp explicit_bzero"
    " rawmemchr strlen strnlen strcpy strncpy stpcpy strcat strncat strcmp strncmp strcoll strxfrm strchr strrchr "
    "strstr strpbrk strspn strcspn"
    " strtok strtok_r strdup strndup strerror strerror_r __xpg_strerror_r strcasecmp strncasecmp strsep memmem isalnum "
    "isalpha isblank iscntrl"
    " isdigit isgraph islower isprint ispunct isspace isupper isxdigit tolower toupper wcslen wcscpy wcscmp wcschr "
    "wmemcpy wmemset wmemmove"
    " wmemcmp wmemchr mblen mbtowc wctomb mbstowcs wcstombs mbrtowc wcrtomb mbrlen mbsinit btowc wctob"
    // numbers, sorting, random numbers
    " atoi atol atoll atof strtol strtoll strtoul strtoull strtof strtod strtold strtoimax strtoumax abs labs llabs "
    "div ldiv lldiv qsort bsearch"
    " rand srand rand_r random srandom drand48 lrand48 floor floorf ceil ceilf round roundf lround llround trunc "
    "nearbyint rint sqrt sqrtf cbrt pow"
    " powf exp exp2 log log2 log10 sin sinf cos cosf tan asin acos atan atan2 atan2f hypot hypotf fmod fmodf remainder "
    "fabs fmin fmax frexp ldexp modf"
    // printing, and the open streams
    " printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf asprintf vasprintf dprintf puts fputs "
    "putchar putc fputc putchar_unlocked"
    " fwrite fread fgets fgetc getc getchar ungetc scanf fscanf sscanf vsscanf fflush setvbuf setbuf perror ferror "
    "feof clearerr fileno stdin stdout"
    " stderr write read wprintf fwprintf swprintf putwchar"
    // time, threads, locks
    " time clock difftime mktime gmtime gmtime_r localtime localtime_r strftime asctime ctime timespec_get "
    "clock_gettime gettimeofday nanosleep"
    " clock_nanosleep usleep sleep sched_yield call_once thrd_yield __once_proxy"
    " pthread_create pthread_join pthread_detach pthread_self pthread_equal pthread_exit pthread_once "
    "pthread_mutex_init pthread_mutex_destroy"
    " pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock pthread_mutex_timedlock pthread_mutex_clocklock "
    "pthread_mutexattr_init"
    " pthread_mutexattr_settype pthread_mutexattr_destroy pthread_cond_init pthread_cond_destroy pthread_cond_wait "
    "pthread_cond_timedwait"
    " pthread_cond_clockwait pthread_cond_signal pthread_cond_broadcast pthread_rwlock_init pthread_rwlock_destroy "
    "pthread_rwlock_rdlock"
    " pthread_rwlock_tryrdlock pthread_rwlock_wrlock pthread_rwlock_trywrlock pthread_rwlock_unlock pthread_spin_init "
    "pthread_spin_destroy"
    " pthread_spin_lock pthread_spin_trylock pthread_spin_unlock pthread_key_create pthread_key_delete "
    "pthread_getspecific pthread_setspecific"
    " __pthread_key_create sem_init sem_destroy sem_wait sem_trywait sem_timedwait sem_clockwait sem_post sem_getvalue"
    // sockets, where the labs' own calls are those of the system
    " bind connect listen accept send recv sendto recvfrom shutdown close setsockopt getsockopt getsockname "
    "getpeername select poll getaddrinfo"
    " freeaddrinfo gai_strerror getnameinfo inet_pton inet_ntop inet_ntoa inet_addr htons htonl ntohs ntohl"
    // used by compilers and standard headers (syscall is reduced to a futex, see futex_only.cpp)
    " syscall __errno_location __assert_fail __assert_perror_fail __stack_chk_fail __gxx_personality_v0 _Unwind_Resume "
    "__dso_handle _GLOBAL_OFFSET_TABLE_"
    " __tls_get_addr __libc_single_threaded __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc "
    "__ctype_get_mb_cur_max __overflow __uflow"
    " __fdelt_chk _setjmp setjmp __sigsetjmp __isnan __isinf __finite __fpclassify __signbit __cpu_model "
    "__cpu_indicator_init __clang_call_terminate"
    " ___asan_globals_registered __start_asan_globals __stop_asan_globals ";

// These have harmless uses; the instructor should look at them.
constexpr const char kSuspicious[] =
    " exit abort atexit raise readlink getenv secure_getenv signal sigaction getpid gettid getppid chdir longjmp _longjmp pthread_kill pthread_cancel ";

// Compilers call these by themselves. Functions of the sanitizers that a program may call to hide from them are not
// listed.
const char* const kCompilersOwn[] = {
    "__cxa_", "__atomic_", "__sync_", "__ubsan_handle_", "__tsan_init", "__tsan_func_", "__tsan_read", "__tsan_write", "__tsan_unaligned_",
    "__tsan_vptr_", "__tsan_volatile_", "__tsan_atomic", "__tsan_mem", "__asan_init", "__asan_version_mismatch_check", "__asan_report_", "__asan_load",
    "__asan_store", "__asan_exp_", "__asan_handle_no_return", "__asan_register_", "__asan_unregister_", "__asan_option_detect_stack_use_after_return",
    "__asan_stack_malloc_", "__asan_stack_free_", "__asan_alloca_", "__asan_allocas_", "__asan_poison_stack_memory", "__asan_unpoison_stack_memory",
    "__asan_poison_cxx_array_cookie", "__asan_load_cxx_array_cookie", "__asan_before_dynamic_init", "__asan_after_dynamic_init", "__asan_set_shadow_",
    "__asan_mem", "__asan_shadow_memory_dynamic_address", "__ubsan_vptr_type_cache", "__sanitizer_ptr_"};

bool starts(const std::string& text, const char* start) { return text.starts_with(start); }

// Returns whether the name is in the namespace of GoogleTest or of tests/support, mangled:
// "_ZN7testing8UnitTest3RunEv".
bool is_tests_own(const std::string& name) {
  return name.find("N7testing") != std::string::npos || name.find("NK7testing") != std::string::npos ||
         name.find("N4test") != std::string::npos || name.find("NK4test") != std::string::npos || name.find("N4bots") != std::string::npos;
}

// Returns whether the name is internal to platform/linux, where calls are not checked. Only names in its headers may be
// used.
bool is_platforms_own(const std::string& name) {
  const std::string inside = "N11win32_linux", constant = "NK11win32_linux";
  if (name.find(constant) != std::string::npos) return true;
  const std::size_t at = name.find(inside);
  if (at == std::string::npos) return false;
  static const char* const kNamed[] = {"4bindE", "7connectE", "4sendE", "4recvE", "10setsockoptE", "4ptonE", "4ntopE", "6socketE", "6FamilyE"};
  return std::none_of(std::begin(kNamed), std::end(kNamed), [&](const char* one) { return name.compare(at + inside.size(), std::strlen(one), one) == 0; });
}

bool is_file_stream(const std::string& name) {
  return name.find("basic_file") != std::string::npos || name.find("basic_fstream") != std::string::npos ||
         name.find("basic_ofstream") != std::string::npos || name.find("basic_ifstream") != std::string::npos ||
         name.find("10filesystem") != std::string::npos;
}

// Returns whether the name is in namespace std. A file that includes a header has templates of it, but these are weak.
bool is_librarys(const std::string& name) { return starts(name, "_ZSt") || starts(name, "_ZNSt") || starts(name, "_ZNKSt") || starts(name, "_ZNSs"); }

// Returns whether compilers define the name in every object file.
bool is_compilers(const std::string& name) {
  return starts(name, "DW.ref.") || starts(name, "__odr_asan") || starts(name, ".") || name == "__clang_call_terminate" || name == "___asan_globals_registered";
}

// Returns whether the name replaces allocation, which only the tests may do. (Placement new allocates nothing.)
bool replaces_allocation(const std::string& name) {
  if (name == "_ZnwmPv" || name == "_ZnamPv" || name == "_ZdlPvS_" || name == "_ZdaPvS_") return false;
  return starts(name, "_Znw") || starts(name, "_Zna") || starts(name, "_Zdl") || starts(name, "_Zda");
}

// Calls `each` for each line: "name kind value size".
template <class Each>
void for_each_symbol(const std::string& nm, Each each) {
  std::istringstream lines(nm);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, kind;
    if (words >> name >> kind && kind.size() == 1) each(name, kind[0]);
  }
}

bool listed(const char* list, const std::string& name) { return std::strstr(list, (" " + name + " ").c_str()) != nullptr; }

// Returns whether the name is an arithmetic helper of the compiler's library: "__udivti3", "__popcountdi2".
bool is_arithmetic(const std::string& name) {
  return starts(name, "__") && name.size() > 6 && (name.back() == '2' || name.back() == '3') && std::islower(static_cast<unsigned char>(name[2])) &&
         (name.find("ti") != std::string::npos || name.find("di") != std::string::npos || name.find("si") != std::string::npos) &&
         name.find('_', 2) == std::string::npos;
}

// Returns the name without the compiler's decoration: "__printf_chk" and "__isoc99_sscanf" are printf and sscanf.
std::string plain_name(const std::string& name) {
  if (starts(name, "__isoc") && name.size() > 9) return name.substr(9);
  const std::string end = "_chk";
  if (starts(name, "__") && name.size() > 6 && name.compare(name.size() - end.size(), end.size(), end) == 0) return name.substr(2, name.size() - 6);
  return name;
}

// Returns what kind of forbidden name this is, or an empty string if it may be used.
std::string refuse_use(const std::string& name) {
  if (is_file_stream(name)) return "files";
  if (is_tests_own(name)) return "the tests' own functions";
  if (is_platforms_own(name)) return "calls that the tests do not check";
  if (starts(name, "_Z") || is_compilers(name) || is_arithmetic(name)) return "";
  if (std::any_of(std::begin(kCompilersOwn), std::end(kCompilersOwn), [&](const char* start) { return starts(name, start); })) return "";
  const std::string plain = plain_name(name);
  return listed(kAllowed, name) || listed(kAllowed, plain) || listed(kSuspicious, plain) ? "" : name;
}

// The directives that compilers write. Labels by asm("...") and section names are copied into the text as they are, and
// could inject others.
constexpr const char kDirectives[] =
    " .file .text .data .bss .section .globl .weak .weakref .local .comm .lcomm .hidden .internal .protected .type .size .align .balign .p2align .set .loc"
    " .ident .addrsig .addrsig_sym .byte .2byte .4byte .8byte .value .short .hword .long .word .quad .xword .octa .float .double .string .ascii .asciz"
    " .zero .skip .space .uleb128 .sleb128 ";
constexpr const char kData[] =
    " .byte .2byte .4byte .8byte .value .short .hword .long .word .quad .xword .octa .float .double .string .ascii .asciz .zero .skip .space .uleb128 .sleb128 ";
// The sections that compilers fill. A function in another section could run before the test program has secured its
// arguments (.preinit_array), or be interpreted by the linker (.interp).
const char* const kSections[] = {".text", ".rodata", ".data", ".bss", ".tdata", ".tbss", ".init_array", ".fini_array", ".gcc_except_table", ".eh_frame", ".note.",
                                 ".comment", ".debug_"};
constexpr const char kWholeSections[] = " asan_globals .linker-options ";
constexpr const char kSystemCalls[] = " syscall sysenter int svc ";
std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Splits a line into words, without label, strings and comment. Returns false if it has more than one statement.
bool split_statement(const std::string& line, std::vector<std::string>& words) {
  bool quoted = false;
  std::string word;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    const char c = i < line.size() ? line[i] : ' ';
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
      continue;
    }
    if (c == ';') return false;
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '$') {
      word += c;
      continue;
    }
    if (!word.empty() && !(c == ':' && words.empty())) words.push_back(word);
    word.clear();
    if (c == '#') break;
    quoted = c == '"';
  }
  return true;
}

// Splits "        .section        .text.f,"ax",@progbits", as compilers write it. Returns false if it has another form.
bool split_section(const std::string& line, std::string& name, std::string& flags) {
  std::istringstream words(line.substr(line.find(".section") + 8));
  std::getline(words >> std::ws, name, ',');
  if (name.size() > 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  std::string rest;
  std::getline(words, flags, ',');
  std::getline(words, rest);
  const bool quoted = flags.size() >= 2 && flags.front() == '"' && flags.back() == '"';
  return !name.empty() && name.find_first_of("\"\\ \t@%#") == std::string::npos && (quoted || flags.empty()) &&
         flags.find('"', 1) + 1 >= flags.size() && rest.find_first_of("\"#") == std::string::npos;
}

// Returns whether compilers fill this section. ".text" is a prefix of ".text._ZN3lab1fEv", but does not match
// ".textual".
bool is_compilers_section(const std::string& name) {
  if (listed(kWholeSections, name)) return true;
  return std::any_of(std::begin(kSections), std::end(kSections), [&](const std::string& start) {
    return starts(name, start.c_str()) && (name.size() == start.size() || start.back() == '.' || start.back() == '_' || name[start.size()] == '.');
  });
}

// Returns the reason why this global symbol is rejected, or an empty string.
std::string refuse_definition(const std::string& name, char kind) {
  if (kind == 'i') return "the file has a function that is chosen at load time: " + name + "\n";
  if (!name.starts_with("_Z"))
    return "the file defines '" + name +
           "' as a global C symbol; a student's file must not have main or extern \"C\"\n";
  if (is_tests_own(name)) return "the file defines a function of the tests: " + name + "\n";
  if (replaces_allocation(name)) return "the file replaces operator new or delete: " + name + "\n";
  if (kind == 'T' && is_librarys(name)) return "the file defines a function of the standard library: " + name + "\n";
  return "";
}

}  // namespace

SymbolCheck check_symbols(const std::string& nm) {
  SymbolCheck check;
  std::set<std::string> asked;
  for_each_symbol(nm, [&](const std::string& name, char kind) {
    if (kind == 'U' || kind == 'w' || kind == 'v') {
      const std::string what = refuse_use(name);
      if (!what.empty()) check.refused = "the file uses " + what + "; no lab needs that, and with it a result could be forged\n";
      if (listed(kSuspicious, plain_name(name))) asked.insert(plain_name(name));
      return;
    }
    const bool local = kind >= 'a' && kind <= 'z' && kind != 'u' && kind != 'i';
    if (local || is_compilers(name)) return;
    if (const std::string why = refuse_definition(name, kind); !why.empty()) check.refused = why;
  });
  for (const std::string& name : asked)
    check.notes.push_back("it uses " + name + ", which no lab needs: check it manually");
  return check;
}

std::vector<std::string> symbols_of(const std::string& nm, const std::string& kinds) {
  std::vector<std::string> names;
  for_each_symbol(nm, [&](const std::string& name, char kind) {
    if (kinds.find(kind) != std::string::npos && !is_compilers(name)) names.push_back(name);
  });
  return names;
}

std::vector<std::string> shared_data(const std::string& nm) {
  std::vector<std::string> names;
  for (const std::string& name : symbols_of(nm, "V")) {
    if (starts(name, "_ZTI") || starts(name, "_ZTS") || name.find("3lab") != std::string::npos) names.push_back(name);
  }
  return names;
}

std::string sanitizer_note(const std::string& source) {
  return lower(source).find("sanitize") == std::string::npos
             ? ""
             : "it mentions sanitizers, which no lab needs: check it manually";
}

std::string check_assembler(const std::string& text) {
  const std::string why = "; no lab needs that, and with it a result could be forged\n";
  std::istringstream lines(text);
  std::set<std::string> code_sections;
  bool in_code = false;
  const std::string own = "the file contains inline assembler" + why;
  for (std::string line; std::getline(lines, line);) {
    if (starts(line, "#APP")) return own;
    std::vector<std::string> words;
    if (!split_statement(line, words)) return own;
    if (words.empty()) continue;
    const std::string& first = words[0];
    if (first[0] == '.' && !listed(kDirectives, first) && !starts(first, ".cfi_")) return own;
    if (std::any_of(words.begin(), words.end(), [](const std::string& word) { return listed(kSystemCalls, lower(word)); })) return own;
    if (first == ".text" || first == ".data" || first == ".bss") in_code = first == ".text";
    if (first == ".section") {
      std::string name, flags;
      if (!split_section(line, name, flags)) return own;
      if (!is_compilers_section(name)) return "the file uses the section '" + name + "'" + why;
      if (starts(name, ".text") || flags.find('x') != std::string::npos) code_sections.insert(name);
      in_code = code_sections.count(name) != 0;
    }
    if (in_code && listed(kData, first)) return "the file has data where code belongs" + why;
  }
  return "";
}

}  // namespace grader
