// Not written for Windows: compiling a stranger's file by Ninja's commands and closing its object (grade_kit.cpp), and
// reading archives. The box for it is there: sandbox_win32.cpp. Its job hides neither files nor network, so a grade that
// counts would need another machine anyway.
#include "commands.h"

namespace grader {

int grade(const Workspace&, const GradeOptions&) { throw UsageError("grade needs Linux (WSL will do): strangers' code runs in bubblewrap"); }
int compare(const Workspace&, const CompareOptions&) { throw UsageError("compare needs Linux (WSL will do): strangers' code runs in bubblewrap"); }
int pack_gradescope(const Workspace&, const PackOptions&) { throw UsageError("gradescope needs Linux (WSL will do)"); }

}  // namespace grader
