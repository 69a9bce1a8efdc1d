// The calls themselves, below the observer (platform/calls.h).
#pragma once

#include "winsock2.h"

namespace win32_linux::real {
#define CALL(result, name, parameters, arguments) result name parameters;
#include "../../calls.inc"
}  // namespace win32_linux::real
