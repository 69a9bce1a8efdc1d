// Microsoft's extensions (AcceptEx and others) are not supported. The header exists because the labs include it.
#ifndef WIN32_LINUX_MSWSOCK_H
#define WIN32_LINUX_MSWSOCK_H

#include "winsock2.h"

#endif
