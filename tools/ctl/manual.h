/* manual.h — the manual page of linewardctl and its completion, made from the tables that --help and the reading of
 * the command line are made from: none of them can say what the others do not. */
#ifndef LINEWARDCTL_MANUAL_H
#define LINEWARDCTL_MANUAL_H

#include <stdio.h>

#include "args.h"

/* man(7) source, section 1. */
void manual_print(FILE *out, const struct command *commands, const struct option_spec *common);
/* A script for bash-completion: commands, then their options. */
void completion_print(FILE *out, const struct command *commands, const struct option_spec *common);

#endif
