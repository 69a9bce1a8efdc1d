// The only include for Win32. winsock2.h must come before windows.h, so do not include the two directly.
// On Windows these are Microsoft's headers; on Linux they are those of platform/linux.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
