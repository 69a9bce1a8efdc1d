#include "symbols.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

namespace grader {

namespace {

// With these a program could write a report of its own, or reach other processes. No lab needs them; each of them alone
// is refused. (exit and the like are not: a test that ends early has no report.)
const char* const kForbidden[] = {
    "open", "open64", "openat", "openat64", "creat", "creat64", "fopen", "fopen64", "freopen", "freopen64", "fdopen", "tmpfile", "mkstemp",
    "unlink", "unlinkat", "remove", "rename", "renameat", "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate", "mmap", "mmap64",
    "mprotect", "memfd_create", "fork", "vfork", "clone", "execv", "execve", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve",
    "posix_spawn", "posix_spawnp", "system", "popen", "ptrace", "process_vm_writev", "process_vm_readv", "prctl", "syscall", "dlopen", "dlsym",
    "dlvsym", "dladdr", "dladdr1", "dlinfo", "dl_iterate_phdr", "getauxval", "_DYNAMIC", "_r_debug", "__ehdr_start", "__executable_start",
    "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "chown", "opendir", "scandir", "nftw", "kill", "killpg", "tgkill", "sigqueue",
    "setsid", "_exit", "_Exit", "quick_exit", "environ", "__environ", "setenv", "unsetenv", "putenv", "clearenv", "__libc_start_main", "io_uring_setup"};

// These have uses that are harmless; somebody should look.
const char* const kSuspicious[] = {"exit", "abort", "atexit", "raise", "readlink", "getenv",
                                   "secure_getenv", "signal", "sigaction", "getppid", "chdir", "longjmp", "_longjmp"};

bool starts(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

// A name in the namespace of GoogleTest or of tests/support, as compilers write it: "_ZN7testing8UnitTest3RunEv".
bool is_tests_own(const std::string& name) {
  return name.find("N7testing") != std::string::npos || name.find("NK7testing") != std::string::npos ||
         name.find("N4test") != std::string::npos || name.find("NK4test") != std::string::npos;
}

bool is_file_stream(const std::string& name) {
  return name.find("basic_filebuf") != std::string::npos || name.find("basic_fstream") != std::string::npos ||
         name.find("basic_ofstream") != std::string::npos || name.find("basic_ifstream") != std::string::npos ||
         name.find("10filesystem") != std::string::npos;
}

// In namespace std; a file that includes a header has templates of it, but these are weak.
bool is_librarys(const std::string& name) { return starts(name, "_ZSt") || starts(name, "_ZNSt") || starts(name, "_ZNKSt") || starts(name, "_ZNSs"); }

// Defined by compilers in every object file.
bool is_compilers(const std::string& name) {
  return starts(name, "DW.ref.") || starts(name, "__odr_asan") || starts(name, "__asan") || starts(name, "__tsan") || starts(name, ".");
}

// Allocation, and the start of the process, are the tests' to replace.
bool replaces_allocation(const std::string& name) {
  return starts(name, "_Znw") || starts(name, "_Zna") || starts(name, "_Zdl") || starts(name, "_Zda");
}

// Calls back for each line: "name kind value size".
template <class Each>
void for_each_symbol(const std::string& nm, Each each) {
  std::istringstream lines(nm);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, kind;
    if (words >> name >> kind && kind.size() == 1) each(name, kind[0]);
  }
}

template <std::size_t N>
bool listed(const char* const (&list)[N], const std::string& name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// Why this symbol, defined for everybody, is refused.
std::string refuse_definition(const std::string& name, char kind) {
  if (kind == 'i') return "the file has a function that is chosen at load time: " + name + "\n";
  if (name.rfind("_Z", 0) != 0) return "the file defines '" + name + "' for everybody; a student's file has no main and no extern \"C\"\n";
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
      std::string what;
      if (listed(kForbidden, name)) what = name;
      if (is_file_stream(name)) what = "files";
      if (is_tests_own(name)) what = "the tests' own functions";
      if (!what.empty()) check.refused = "the file uses " + what + "; no lab needs that, and with it a result could be forged\n";
      if (listed(kSuspicious, name)) asked.insert(name);
      return;
    }
    const bool local = kind >= 'a' && kind <= 'z' && kind != 'u' && kind != 'i';
    if (local || is_compilers(name)) return;
    if (const std::string why = refuse_definition(name, kind); !why.empty()) check.refused = why;
  });
  for (const std::string& name : asked) check.notes.push_back("it uses " + name + ", which no lab needs: look at it by hand");
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

std::string check_assembler(const std::string& text) {
  const std::string why = "; no lab needs that, and with it a result could be forged\n";
  std::istringstream lines(text);
  bool in_code = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("#APP", 0) == 0) return "the file has assembler of its own" + why;
    std::istringstream words(line);
    std::string first, second, third;
    words >> first >> second >> third;
    if (first == ".text" || first == ".data" || first == ".bss") in_code = first == ".text";
    if (first == ".section") in_code = second.rfind(".text", 0) == 0 || line.find("x", line.find(',') + 1) < line.find('@');
    if (first == ".type" && in_code && line.find("@object") != std::string::npos) return "the file has data where code belongs" + why;
  }
  return "";
}

}  // namespace grader
