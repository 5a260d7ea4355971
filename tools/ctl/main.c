/* linewardctl — the operator's and the producer's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "lineward/process.h"

/* What a program was started with stays readable in /proc: so the token is moved to where it is not. */
static void hide_token(void)
{
    char *given = getenv("LINEWARD_TOKEN");
    char *copy = given == NULL ? NULL : strdup(given);
    if (copy == NULL)
        return;
    memset(given, '*', strlen(given));
    setenv("LINEWARD_TOKEN", copy, 1);
    free(copy);
}

int main(int argc, char **argv)
{
    process_hold_standard();
    process_keep_secrets();
    hide_token();
    return ctl_run(argc, argv, stdout, stderr);
}
