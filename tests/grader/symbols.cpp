#include "symbols.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

namespace grader {

namespace {

// What could end the process, reach its files or other processes, or find its secrets.
const char* const kSuspicious[] = {
    "_exit", "_Exit", "exit", "quick_exit", "abort", "atexit", "fork", "vfork", "clone", "execv", "execve", "execvp", "execl", "execlp",
    "posix_spawn", "posix_spawnp", "system", "popen", "kill", "raise", "tgkill", "ptrace", "prctl", "syscall", "dlopen", "dlsym", "dl_iterate_phdr",
    "open", "open64", "openat", "openat64", "creat", "fopen", "fopen64", "freopen", "fdopen", "unlink", "unlinkat", "remove", "rename", "rmdir",
    "symlink", "link", "opendir", "readlink", "getenv", "secure_getenv", "environ", "__environ", "signal", "sigaction", "mmap", "mmap64", "mprotect",
    "process_vm_writev", "getppid", "setsid", "chdir", "truncate", "ftruncate", "__libc_start_main", "program_invocation_name", "longjmp", "_longjmp"};

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

// Defined by compilers in every object file.
bool is_compilers(const std::string& name) {
  return starts(name, "DW.ref.") || starts(name, "__odr_asan") || starts(name, "__asan") || starts(name, "__tsan") || starts(name, ".");
}

// Allocation, and the start of the process, are the tests' to replace.
bool replaces_allocation(const std::string& name) {
  return starts(name, "_Znw") || starts(name, "_Zna") || starts(name, "_Zdl") || starts(name, "_Zda");
}

}  // namespace

SymbolCheck check_symbols(const std::string& nm, const std::string& source) {
  SymbolCheck check;
  std::set<std::string> asked;
  std::istringstream lines(nm);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, kind;
    if (!(words >> name >> kind) || kind.size() != 1) continue;
    const bool undefined = kind == "U" || kind == "w" || kind == "v";
    const bool local = kind[0] >= 'a' && kind[0] <= 'z' && kind != "u" && kind != "i";
    if (undefined) {
      const bool listed = std::find(std::begin(kSuspicious), std::end(kSuspicious), name) != std::end(kSuspicious);
      if (listed || is_file_stream(name) || is_tests_own(name)) asked.insert(is_file_stream(name) ? "file streams" : is_tests_own(name) ? "the tests' own functions" : name);
      continue;
    }
    if (kind == "i") check.refused = "the file has a function that is chosen at load time (" + name + ")\n";
    if (local || is_compilers(name)) continue;
    if (!starts(name, "_Z")) check.refused = "the file defines '" + name + "' for everybody; a student's file has no main and no extern \"C\"\n";
    if (is_tests_own(name)) check.refused = "the file defines a function of the tests: " + name + "\n";
    if (replaces_allocation(name)) check.refused = "the file replaces operator new or delete: " + name + "\n";
  }
  for (const std::string& name : asked) check.notes.push_back("it uses " + name + ", which no lab needs: look at it by hand");
  for (const char* const word : {"asm", "init_priority", "__attribute__", "#include \"/", "#include </", "incbin"}) {
    if (source.find(word) != std::string::npos) check.notes.push_back(std::string("its text has '") + word + "': look at it by hand");
  }
  return check;
}

}  // namespace grader
