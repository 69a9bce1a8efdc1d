// The commands that help a student at work. Each returns an exit code.
#pragma once

#include <string>

#include "workspace.h"

namespace grader {

// The labs, their points of the last check, and the next step. Builds nothing.
int status(const Workspace& workspace);

}  // namespace grader
