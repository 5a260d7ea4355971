/* cache_fault.c — see cache_fault.h. */
#include "broker/cache/cache_fault.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *begins, *help;
} helps[] = {
    {"OOM", "raise maxmemory, or see what else it holds"},
    {"MISCONF", "it cannot write its disk: its own log says why"},
    {"READONLY", "it is a replica now"},
    {"LOADING", "it is starting"},
    {"BUSY", "a script runs for too long there: whose?"},
    {"NOAUTH", "cache.redis_password_file"},
    {"WRONGPASS", "cache.redis_password_file, and the user in cache.redis"},
    {"NOPERM", "give the user the rights of deploy/redis/users.acl"},
};

static int begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum cache_fault cache_fault_of(const char *error)
{
    if (begins(error, "NOSCRIPT"))
        return CACHE_FAULT_SCRIPT;
    /* What goes wrong within the script for its own sake; what the machine refuses has a word of its own. */
    if ((begins(error, "ERR ") || begins(error, "WRONGTYPE ")) && strstr(error, "script") != NULL)
        return CACHE_FAULT_FACT;
    return CACHE_FAULT_PLACE;
}

void cache_fault_text(const char *what, const char *error, char *out, size_t room)
{
    const char *help = NULL, *rest = strstr(error, " script: ");
    size_t bytes = rest == NULL ? strlen(error) : (size_t)(rest - error);
    for (size_t i = 0; help == NULL && i < sizeof helps / sizeof *helps; i++)
        if (begins(error, helps[i].begins))
            help = helps[i].help;
    if (help != NULL && bytes > 0 && error[bytes - 1] == '.')
        bytes--; /* it goes on */
    snprintf(out, room, "%s: %.*s%s%s", what, (int)(bytes < 80 ? bytes : 80), error, help == NULL ? "" : ": ",
             help == NULL ? "" : help);
}
