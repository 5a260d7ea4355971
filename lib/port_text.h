/* port_text.h — inside lib/: a TCP port as addresses write it. */
#ifndef LINEWARD_LIB_PORT_TEXT_H
#define LINEWARD_LIB_PORT_TEXT_H

#include <stddef.h>

/* 0 to 65535; -1: it is none. */
static inline int port_of_text(const char *text, size_t bytes)
{
    int value = 0;
    if (bytes == 0 || bytes > 5)
        return -1;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value <= 65535 ? value : -1;
}

#endif
