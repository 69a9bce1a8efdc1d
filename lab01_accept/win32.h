// The one door to Win32. winsock2.h must come before windows.h, so nobody includes the two by hand.
// On Windows these are Microsoft's headers; on Linux they are those of platform/linux.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
