// There is no sandbox on Windows, so nothing is graded there.
#include "commands.h"

namespace grader {

int grade(const Workspace&, const GradeOptions&) { throw UsageError("grade needs Linux (WSL will do): strangers' code runs in bubblewrap"); }

}  // namespace grader
